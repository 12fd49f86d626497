"""Whether a training trained: states of curves by hand, false alarms by simulation, chance against permuted labels."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from affuse.evaluation.convergence import (
    DIVERGED,
    IMPROVING,
    NEVER_LEFT,
    TRAINED,
    UNKNOWN,
    chance_p,
    state_of,
    still_improving,
)


def curve(
    train: np.ndarray,
    loss: np.ndarray | None = None,
    bacc: np.ndarray | None = None,
    part: str = "validation",
):
    """``metrics.csv`` of a training of one task."""
    table = {"epoch": np.arange(1, len(train) + 1), "train_loss_emotion": train}
    if loss is not None:
        table |= {f"{part}_loss_emotion": loss, f"{part}_bacc_emotion": bacc}
    return pd.DataFrame(table)


FALLING = np.linspace(1.4, 0.4, 20)
SETTLED = 0.6 + 0.8 * np.exp(-np.arange(20) / 3)


@pytest.mark.parametrize(
    ("table", "kept", "allowed", "p", "state"),
    [
        (curve(FALLING, SETTLED, np.full(20, 0.6)), 12, 20, 1e-9, TRAINED),
        (curve(np.full(20, 1.386), np.full(20, 1.386), np.full(20, 0.25)), 1, 20, 0.6, NEVER_LEFT),
        (curve(1.386 - np.arange(20) * 1e-4), None, None, 1e-9, NEVER_LEFT),  # falls by 0.1 %
        (curve([1.386, 1.36, 1.40, 1.37, 1.39]), None, None, 1e-9, NEVER_LEFT),  # dropout's noise
        (curve(FALLING, SETTLED, np.full(20, 0.25)), 2, 20, 0.4, NEVER_LEFT),
        (curve(FALLING, SETTLED, np.full(20, 0.8)), 2, 20, 1e-9, TRAINED),  # the second epoch was good enough
        (curve(FALLING, SETTLED, np.full(20, 0.25)), 9, 20, 0.4, TRAINED),  # its row's BACC tells, not this run's
        (curve(FALLING, FALLING, np.linspace(0.3, 0.6, 20)), 20, 20, 1e-9, IMPROVING),
        (curve(FALLING[:12], FALLING[:12], np.linspace(0.3, 0.6, 12)), 12, 20, 1e-9, TRAINED),  # stopped early
        (curve(100 * np.exp(-np.arange(20) / 6), 90 * np.exp(-np.arange(20) / 6), [0.25] * 20), 20, 20, 0.5, IMPROVING),
        (curve(FALLING, np.exp(-np.arange(20.0)), np.full(20, 1.0)), 20, 20, 1e-9, TRAINED),  # nothing to gain
        (curve([1.2, 0.9, 0.7], [1.1, 0.9, 0.8], [0.3, 0.4, 0.5]), 3, 3, 1e-9, IMPROVING),
        (curve([1.2, 0.6, 0.5], [0.7, 0.62, 0.62], [0.7, 0.75, 0.75]), 3, 3, 1e-9, TRAINED),
        (curve([0.9], [0.7], [0.7]), 1, 1, 1e-9, TRAINED),  # one epoch of fine-tuning
        (curve([1.3, 1.0], [1.2, 0.9], [0.3, 0.5]), 2, 2, 1e-9, IMPROVING),
        (curve(FALLING), 20, 20, 1e-9, IMPROVING),  # no part is watched, a straight line
        (curve(SETTLED), 20, 20, 1e-9, TRAINED),
        (curve(FALLING, FALLING, np.linspace(0.3, 0.6, 20), "test"), 20, 20, 1e-9, IMPROVING),
        (curve([1.4, 0.9, 2.2, 7.0], [1.4, 1.0, 3, 8], [0.3] * 4), 2, 20, 0.3, DIVERGED),
        (curve([1.4, np.nan], [1.4, np.nan], [0.3] * 2), 1, 20, 0.3, DIVERGED),
        (pd.DataFrame(), None, None, 0.3, UNKNOWN),
    ],
)  # fmt: skip
def test_states_of_trainings(
    table: pd.DataFrame, kept: int | None, allowed: int | None, p: float, state: str
) -> None:
    part = "test" if "test_loss_emotion" in table else "validation"
    assert state_of(table, kept, allowed, part, p) == state


def test_late_epochs_of_most_runs_are_no_chance() -> None:
    table = curve(FALLING, np.linspace(1.4, 1.2, 20), np.full(20, 0.4))
    assert not still_improving(table, 20, 20, "validation")
    assert still_improving(table, 20, 20, "validation", usual=True)
    assert not still_improving(table, 15, 20, "validation", usual=True)
    rising = curve(FALLING, np.linspace(0.9, 1.2, 20), np.full(20, 0.4))  # it learns by heart
    assert not still_improving(rising, 20, 20, "validation", usual=True)


@pytest.mark.parametrize("score", ["ccc", "macro_f1"])
def test_a_task_of_any_kind_is_watched(score: str) -> None:
    other = {"validation_bacc_emotion": f"validation_{score}_emotion"}
    settled = curve(FALLING, SETTLED, np.full(20, 0.6)).rename(
        columns=other
    )  # only the training loss still falls
    assert state_of(settled, 20, 20, "validation", 1e-9) == TRAINED
    rising = curve(FALLING, FALLING, np.linspace(0.3, 0.6, 20)).rename(columns=other)
    assert state_of(rising, 20, 20, "validation", 1e-9) == IMPROVING


def simulated(random: np.random.Generator, epochs: int, constant: float, utterances: int = 40):
    """A training that approaches its end with a time constant (in epochs); BACC of few utterances, noise that lasts."""
    x = 1 - np.exp(-np.arange(1, epochs + 1) / constant)
    noise = np.zeros((2, epochs))
    for t in range(1, epochs):
        noise[:, t] = 0.6 * noise[:, t - 1] + random.normal(0, 1, 2)
    bacc = 0.25 + 0.5 * x + 0.03 * noise[0]
    bacc = np.round(np.clip(bacc, 0, 1) * utterances) / utterances
    loss = 1.386 - 0.8 * x + 0.02 * noise[1]
    kept = max(range(epochs), key=lambda t: (bacc[t], -loss[t])) + 1
    return curve(1.386 - 1.1 * x, loss, bacc), kept


@pytest.mark.parametrize("epochs", [10, 25, 60])
def test_false_alarms_and_what_is_caught_by_simulation(epochs: int) -> None:
    random = np.random.default_rng(epochs)
    found = {}
    for constant in (epochs / 10, 2 * epochs):
        trials = [simulated(random, epochs, constant) for _ in range(300)]
        found[constant] = np.mean([still_improving(t, kept, epochs, "validation") for t, kept in trials])
    settled, cut = found.values()
    assert settled < 0.08
    assert cut > 0.4  # a row is not judged from a third on


def test_chance_is_that_of_permuted_labels() -> None:
    random = np.random.default_rng(0)
    labels = random.choice(4, 120, p=[0.4, 0.3, 0.2, 0.1])
    called = np.where(random.random(120) < 0.15, labels, random.choice(4, 120, p=[0.1, 0.2, 0.3, 0.4]))

    def bacc(of: Any):
        return np.mean([(called[of == k] == k).mean() for k in range(4)])

    def counts(of: Any):
        return np.array([[np.sum((of == i) & (called == j)) for j in range(4)] for i in range(4)])

    permuted = np.array([bacc(random.permutation(labels)) for _ in range(4000)])
    assert permuted.mean() == pytest.approx(0.25, abs=0.003)
    shared = np.mean(permuted >= bacc(labels))
    assert chance_p([counts(labels)]) == pytest.approx(shared, abs=0.02)
    assert chance_p([counts(labels)] * 3) == pytest.approx(
        chance_p([counts(labels)])
    )  # seeds answer the same clips


def test_answers_of_one_class_are_chance_and_one_class_has_none() -> None:
    assert chance_p([np.array([[9, 0], [5, 0]])]) == 1.0
    assert chance_p([np.diag([9, 5])]) < 1e-3
    assert np.isnan(chance_p([np.array([[9, 2], [0, 0]])]))
    absent = np.array([[9, 1, 0], [2, 8, 0], [0, 0, 0]])  # a class that no test utterance has
    assert chance_p([absent]) == pytest.approx(chance_p([absent[:2, :2]]))

"""The threshold of unsure, against a plain search; the temperature, against a grid; what little evidence is worth."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.evaluation.confidence import Confidence, fit_confidence, unsure_below
from affuse.models.defaults import PredictionDefaults


@given(st.lists(st.tuples(st.sampled_from([0.3, 0.4, 0.5, 0.6, 0.7, 0.9]), st.booleans()), max_size=12))
def test_below_the_threshold_half_are_wrong_and_no_higher_one_does_it(pairs: Any) -> None:
    confidence = np.array([c for c, _ in pairs])
    right = np.array([r for _, r in pairs], bool)
    found = unsure_below(confidence, right)

    def answers_below(threshold: Any):
        return [r for c, r in pairs if c < threshold]

    def poor(threshold: Any):
        below = answers_below(threshold)
        return bool(below) and sum(below) * 2 <= len(below)

    possible = [t for t in (0.35, 0.45, 0.55, 0.65, 0.8, 1.0) if poor(t)]
    if not possible:
        assert not answers_below(found)
    else:
        assert answers_below(found) == answers_below(max(possible))


def table_of(answers: list[tuple[str, float]]):
    """A prediction table of two classes from (label, probability of a) pairs."""
    return pd.DataFrame({
        "id": [f"u{i}" for i in range(len(answers))], "emotion": [label for label, _ in answers],
        "emotion_p_a": [p for _, p in answers], "emotion_p_b": [1 - p for _, p in answers],
    })  # fmt: skip


def likeliest(answers: list[tuple[str, float]], weight: float):
    """Ln T of the largest posterior on a fine grid, by plain loops: a normal prior of ln T with deviation 1/2."""
    best = None
    for k in range(-3000, 3001):
        log_t = k / 1000
        total = -(log_t**2) / (2 * 0.5**2)
        for label, p in answers:
            logit = math.log(p / (1 - p)) / math.exp(log_t) * (1 if label == "a" else -1)
            total += weight * -math.log1p(math.exp(-logit))
        if best is None or total > best[0]:
            best = total, math.exp(log_t)
    return best[1]


MIXED = [("a", 0.95), ("b", 0.9), ("a", 0.8), ("b", 0.3), ("b", 0.02), ("a", 0.6), ("b", 0.7), ("a", 0.1)]


@pytest.mark.parametrize(
    ("speakers", "alike"), [(None, 1.0), ("abcdefgh", 1.0), ("aaaaaaaa", 8.0), ("aaaaaabb", (36 + 4) / 8)]
)
def test_the_temperature_is_the_likeliest_under_its_prior_and_speakers(
    speakers: str | None, alike: float
) -> None:
    """``alike``: how many utterances an utterance's speaker has, on average."""
    speaker_of = None if speakers is None else {f"u{i}": one for i, one in enumerate(speakers)}
    found = fit_confidence(table_of(MIXED), "emotion", ["a", "b"], speaker_of)
    weight = 1 / (1 + 0.07 * (alike - 1))
    assert found.temperature == pytest.approx(likeliest(MIXED, weight), abs=1.5e-3)
    assert (found.utterances, found.wrong, found.cause) == (8, 3, "")
    assert found.speakers == (None if speakers is None else len(set(speakers)))


def test_a_great_sample_is_fitted_as_if_there_were_no_prior() -> None:
    random = np.random.default_rng(0)
    answers = [("a" if random.random() < 0.7 else "b", 0.95) for _ in range(20_000)]
    answers += [("b" if random.random() < 0.7 else "a", 0.05) for _ in range(20_000)]
    found = fit_confidence(table_of(answers), "emotion", ["a", "b"])
    logit = np.log(0.95 / 0.05)  # of two classes: T makes sigmoid(logit / T) the share that is right
    assert found.temperature == pytest.approx(logit / np.log(0.7 / 0.3), rel=0.02)
    assert found.evidence > 0.99
    assert found.note("emotion") == ""


@pytest.mark.parametrize(
    ("answers", "cause"),
    [
        ([("a", 0.8)] * 10 + [("b", 0.2)] * 11, "all 21 validation utterances are answered rightly"),
        ([("a", 0.9)] * 20 + [("a", 0.2)], "all 21 validation utterances have the same label"),
        ([("a", 0.9)], "the only validation utterance has the same label"),
        ([], "there is no validation utterance"),
    ],
)
def test_where_nothing_tells_how_sure_to_be_the_network_s_own_stands(
    answers: list[tuple[str, float]], cause: str
) -> None:
    found = fit_confidence(table_of(answers), "emotion", ["a", "b"])
    assert (found.temperature, found.unsure_below, found.cause) == (1.0, 0.0, cause)
    assert (
        found.note("emotion") == f"The confidences of emotion are the network's own, not calibrated: {cause}."
    )


def test_three_wrong_answers_do_not_make_every_answer_unsure() -> None:
    found = fit_confidence(
        table_of([("a", 0.05), ("b", 0.9), ("a", 0.2)]),
        "emotion",
        ["a", "b"],
        dict.fromkeys(("u0", "u1", "u2"), "me"),
    )
    assert 1 < found.temperature < 2
    assert found.unsure_below < 0.6
    assert found.note("emotion") == (
        "The confidences of emotion rest on little: 3 validation utterances of 1 speaker, 3 answered wrongly."
    )


def test_answers_surer_than_all_that_were_seen_are_not_called_unsure() -> None:
    random = np.random.default_rng(2)
    answers = [("ab"[random.integers(2)], float(random.uniform(0.4, 0.6))) for _ in range(500)]
    found = fit_confidence(table_of(answers), "emotion", ["a", "b"])
    assert 0.5 < found.unsure_below < 0.7


def test_many_answers_at_chance_make_every_answer_unsure() -> None:
    random = np.random.default_rng(1)
    answers = [("ab"[random.integers(2)], float(random.uniform(0.02, 0.98))) for _ in range(2000)]
    found = fit_confidence(table_of(answers), "emotion", ["a", "b"], {f"u{i}": i % 40 for i in range(2000)})
    assert found.temperature > 3
    assert found.evidence > 0.5


@pytest.mark.parametrize("temperature", [0.0697, 0.05, 19.99, 17.0])
def test_an_older_fit_that_ran_to_its_bound_is_not_used_and_is_told(temperature: float) -> None:
    old = {"confidence": {"emotion": {"temperature": temperature, "unsure_below": 0.9, "utterances": 21}}}
    found = PredictionDefaults.model_validate(old).of_task("emotion")
    assert (found.temperature, found.unsure_below) == (1.0, 0.0)
    assert (
        f"an older affuse fitted the temperature {temperature:.3g} on 21 validation utterances"
        in found.note("emotion")
    )
    again = PredictionDefaults.model_validate(
        PredictionDefaults(confidence={"emotion": found}).model_dump()
    ).of_task("emotion")
    assert again == found


def test_an_older_fit_on_enough_is_used_as_it_is() -> None:
    old = {"temperature": 1.7, "unsure_below": 0.4, "utterances": 120}
    found = Confidence.model_validate(old)
    assert (found.temperature, found.unsure_below, found.note("emotion")) == (1.7, 0.4, "")
    assert "rest on little: 9 validation utterances" in Confidence.model_validate(
        old | {"utterances": 9}
    ).note("emotion")

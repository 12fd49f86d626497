"""Whether one training trained, in a sentence: its numbers say little of a method where it did not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from affuse.evaluation.convergence import (
    DIVERGED,
    IMPROVING,
    LEVEL,
    NEVER_LEFT,
    chance_p,
    state_of,
)
from affuse.evaluation.metrics import Metrics
from affuse.evaluation.predictions import has_label, measure_table
from affuse.recipe import Training
from affuse.training.best_epoch import watched_part

STANDARDISE = "standardised features (modalities.NAME.standardise=true)"
CHANCE = "no better than chance"
CURES = {
    NEVER_LEFT: f"{STANDARDISE}, another optimizer.lr",
    IMPROVING: "more training.epochs",
    DIVERGED: "a lower optimizer.lr, optimizer.clip_norm",
    CHANCE: f"{STANDARDISE}, more training.epochs, another optimizer.lr; or the features do not depend on the labels",
}
_STATES = {
    NEVER_LEFT: "the network never left the start",
    IMPROVING: "the network was still improving in the last epochs",
    DIVERGED: "the training diverged",
}


def training_in_words(
    history: pd.DataFrame,
    kept: int,
    training: Training,
    predictions: pd.DataFrame,
    spaces: Mapping[str, Sequence[str]],
) -> str:
    """Why the numbers of a run say little of its method, and what to try; "" where the network trained.

    By the rules of ``evaluation.convergence`` on the run's curve, and by whether the test part's BACC is better than
    chance at the 5 % level.

    Args:
        history: a row per epoch (``metrics.csv``).
        kept: the epoch whose weights were kept, from 1.
        training: the recipe's section.
        predictions: of validation and test part.
        spaces: task -> classes.

    Examples:
        >>> falling = [1.0, 0.7, 0.5, 0.4, 0.3]
        >>> history = pd.DataFrame({"train_loss_emotion": falling})
        >>> table = pd.DataFrame({"role": "test", "emotion": ["anger", "calm"] * 20})
        >>> spaces = {"emotion": ["anger", "calm"]}
        >>> training = Training(epochs=20)
        >>> training_in_words(history, 4, training, table.assign(emotion_predicted=table["emotion"]), spaces)
        ''
        >>> training_in_words(history, 4, training, table.assign(emotion_predicted="calm"), spaces)[:72]
        'Not trained well enough: emotion BACC 50.0 is no better than chance (50.'
    """
    answered = _measured(predictions, spaces)
    # a network that is better than chance in one task has left the start
    known = [p for one in answered.values() if (p := chance_p([one.confusion])) == p]
    least = min(known) if known else float("nan")
    state = state_of(history, kept, training.epochs, watched_part(training), least)
    reasons = {state: _STATES[state]} if state in _STATES else {}
    tested = _measured(predictions, spaces, "test")
    by_chance = [text for task, one in tested.items() if (text := _by_chance(task, one))]
    if by_chance:
        reasons[CHANCE] = "; ".join(by_chance)
    if not reasons:
        return ""
    if list(reasons) == [IMPROVING]:
        return f"Not trained to the end: {reasons[IMPROVING]}. Try {CURES[IMPROVING]}."
    # what helps against chance contains most of the other cures
    cures = [CURES[one] for one in reasons if CHANCE not in reasons or one in (CHANCE, DIVERGED)]
    return (
        f"Not trained well enough: {'; '.join(reasons.values())}. These numbers say nothing of the method. "
        f"Try {'; '.join(cures)}."
    )


def _measured(
    table: pd.DataFrame, spaces: Mapping[str, Sequence[str]], role: str | None = None
) -> dict[str, Metrics]:
    """Task -> metrics, of the tasks that have a label in the table, or in one role of it."""
    return {
        task: measure_table(table, task, space, role)
        for task, space in spaces.items()
        if has_label(table, task, space, role)
    }


def _by_chance(task: str, found: Metrics) -> str:
    """'emotion BACC 33.9 is no better than chance (33.3; p = 0.41)', or '' where it is better."""
    p = chance_p([found.confusion])
    if not p >= LEVEL:
        return ""
    chance = 1 / int((found.confusion.sum(axis=1) > 0).sum())
    return f"{task} BACC {100 * found.bacc:.1f} is {CHANCE} ({100 * chance:.1f}; p = {p:.2f})"

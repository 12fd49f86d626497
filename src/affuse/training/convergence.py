"""Whether one training trained, in a sentence: its numbers say little of a method where it did not."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from affuse.evaluation.convergence import (
    DIVERGED,
    IMPROVING,
    LEVEL,
    NEVER_LEFT,
    state_of,
)
from affuse.evaluation.measures import SHOWN, Measure
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
    measures: Iterable[Measure],
) -> str:
    """Why the numbers of a run say little of its method, and what to try; "" where the network trained.

    By the rules of ``evaluation.convergence`` on the run's curve, and by whether the test part's BACC (CCC of ratings)
    is better than chance at the 5 % level.

    Args:
        history: a row per epoch (``metrics.csv``).
        kept: the epoch whose weights were kept, from 1.
        training: the recipe's section.
        predictions: of validation and test part.
        measures: of the tasks.

    Examples:
        >>> from affuse.evaluation.measures import ClassMeasure
        >>> falling = [1.0, 0.7, 0.5, 0.4, 0.3]
        >>> history = pd.DataFrame({"train_loss_emotion": falling})
        >>> table = pd.DataFrame({"role": "test", "emotion": ["anger", "calm"] * 20})
        >>> measures = [ClassMeasure("emotion", ["anger", "calm"])]
        >>> training = Training(epochs=20)
        >>> training_in_words(history, 4, training, table.assign(emotion_predicted=table["emotion"]), measures)
        ''
        >>> training_in_words(history, 4, training, table.assign(emotion_predicted="calm"), measures)[:72]
        'Not trained well enough: emotion BACC 50.0 is no better than chance (50.'
    """
    known = [measure for measure in measures if measure.has_label(predictions)]
    # a network that is better than chance in one task has left the start
    found = [p for measure in known if (p := measure.chance([predictions])[1]) == p]
    least = min(found) if found else float("nan")
    state = state_of(history, kept, training.epochs, watched_part(training), least)
    reasons = {state: _STATES[state]} if state in _STATES else {}
    test = predictions[predictions["role"] == "test"]
    by_chance = [text for measure in known if measure.has_label(test) and (text := _by_chance(measure, test))]
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


def _by_chance(measure: Measure, test: pd.DataFrame) -> str:
    """'emotion BACC 33.9 is no better than chance (33.3; p = 0.41)', or '' where it is better."""
    chance, p = measure.chance([test])
    if not p >= LEVEL:
        return ""
    value = measure.values(test)[measure.main]
    return f"{measure.task} {no_better_than_chance(measure.main, value, chance, f'{p:.2f}')}"


def no_better_than_chance(metric: str, value: float, chance: float, p: str) -> str:
    """'BACC 33.9 is no better than chance (33.3; p = 0.41)'."""
    shown = SHOWN[metric]
    start = shown.text(chance) if chance else "0"
    return f"{shown.name} {shown.text(value)} is {CHANCE} ({start}; p = {p})"

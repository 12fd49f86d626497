"""Confidence intervals of metrics over speakers: utterances of one speaker are not independent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import betaincinv, stdtrit

LEVEL = 0.95
FEW = 4  # speakers or fewer cannot tell how much speakers differ: docs/statistics.md
_NOTHING = 1e-9


class Interval(NamedTuple):
    """A metric and its interval.

    Args:
        value: The metric on all rows.
        low: The lower end.
        high: The upper end.
    """

    value: float
    low: float
    high: float


def speaker_confusions(
    tables: Sequence[pd.DataFrame],
    task: str,
    space: Sequence[str],
    clusters: pd.Series,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """One confusion matrix per speaker and prediction table (seed).

    Args:
        tables: See ``predictions.prediction_table``.
        task: For example "emotion".
        space: The classes, in order.
        clusters: Utterance id -> speaker; an utterance without one is a cluster of its own.
        names: The speakers to count, in order; default: those of the tables, sorted.

    Returns:
        (speakers, tables, classes, classes) counts, true by predicted.

    Examples:
        >>> table = pd.DataFrame({"id": ["a", "b"], "t": ["x", "y"], "t_predicted": ["x", "x"]})
        >>> speaker_confusions([table], "t", ["x", "y"], pd.Series({"a": "Ann", "b": "Bob"}))[:, 0].tolist()
        [[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 0.0]]]
    """
    return count_confusions(answers_of(tables, task, space, clusters), len(space), names)


class Answers(NamedTuple):
    """The labelled utterances of one prediction table, as numbers.

    Args:
        ids: (n,) utterance ids.
        speakers: (n,) whose they are.
        true: (n,) class indices.
        called: (n,) class indices.
    """

    ids: pd.Series
    speakers: list[str]
    true: np.ndarray
    called: np.ndarray

    def where(self, kept: np.ndarray) -> Answers:
        """Those of ``kept``, (n,) of bool."""
        speakers = [name for name, one in zip(self.speakers, kept.tolist(), strict=True) if one]
        return Answers(self.ids[kept], speakers, self.true[kept], self.called[kept])


def answers_of(
    tables: Sequence[pd.DataFrame], task: str, space: Sequence[str], clusters: pd.Series
) -> list[Answers]:
    """Of every prediction table; the arguments are those of ``speaker_confusions``."""
    position = {name: i for i, name in enumerate(space)}
    found = []
    for table in tables:
        labels = table[task].tolist()  # plain loops: each call of pandas takes longer than a whole part
        kept = np.array([label in position for label in labels], dtype=bool)
        called = [
            position[name]
            for name, one in zip(table[f"{task}_predicted"].tolist(), kept.tolist(), strict=True)
            if one
        ]
        ids = table["id"][kept]
        true = [position[label] for label in labels if label in position]
        found.append(
            Answers(ids, speakers_of(ids, clusters).tolist(), np.array(true, int), np.array(called, int))
        )
    return found


def count_confusions(
    answers: Sequence[Answers], classes: int, names: Sequence[str] | None = None
) -> np.ndarray:
    """``speaker_confusions`` of answers that are numbers already."""
    if names is None:
        names = sorted({name for of in answers for name in of.speakers})
    index = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(answers), classes, classes))
    for seed, of in enumerate(answers):
        speaker = np.array([index[name] for name in of.speakers], int)
        np.add.at(counts[:, seed], (speaker, of.true, of.called), 1)
    return counts


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """ACC of confusion matrices (..., classes, classes).

    Examples:
        >>> float(accuracy(np.array([[3, 1], [1, 1]])).round(3))
        0.667
    """
    return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1))


def balanced_accuracy(confusion: np.ndarray) -> np.ndarray:
    """BACC of confusion matrices (..., classes, classes), over the classes that occur.

    Examples:
        >>> float(balanced_accuracy(np.array([[3, 1], [1, 1]])))
        0.625
    """
    support = confusion.sum(axis=-1)
    recall = np.diagonal(confusion, axis1=-2, axis2=-1) / np.maximum(support, 1)
    with np.errstate(invalid="ignore"):
        return recall.sum(axis=-1) / (support > 0).sum(axis=-1)


def speakers_of(ids: pd.Series, clusters: pd.Series) -> pd.Series:
    """The cluster of every utterance: its speaker, or itself where none is known."""
    known = (
        clusters.dropna().to_dict()
    )  # and no map of pandas: beside a blank it makes a whole number a float
    return pd.Series([str(known.get(id, id)) for id in ids.tolist()], index=ids.index, dtype=str)


def speaker_interval(confusions: np.ndarray, metric: str, level: float = LEVEL) -> Interval:
    """Interval of a metric, averaged over tables: what it is for other speakers of the same kind.

    The wider, at each end, of two:

    - of speakers: the shares p with (value - p)^2 <= t^2 D p (1 - p), a score interval (Wilson 1927) whose design
      effect D and degrees of freedom of Student's t come from how far the speakers differ
      (``spread_over_speakers``), as for samples of clusters (Kott and Carr 1997; Franco et al. 2019).
    - of utterances: Clopper and Pearson's, as if all were independent. No interval is narrower than that.

    Args:
        confusions: (speakers, tables, classes, classes), see ``speaker_confusions``.
        metric: "acc" or "bacc".
        level: 0 to 1.

    Returns:
        It always holds the value. Of ``FEW`` speakers or fewer it is wide, because it must be (``few_speakers``). Where
        each class is said by one speaker alone nothing is known of the spread: 0 to 1. One speaker: NaN.

    Examples:
        >>> ann, bob, cem = [[[9, 1], [2, 8]]], [[[7, 3], [1, 9]]], [[[8, 2], [2, 8]]]
        >>> value, low, high = speaker_interval(np.array([ann, bob, cem]), "bacc")
        >>> round(value, 3), round(low, 2), round(high, 2)
        (0.817, 0.7, 0.9)
    """
    confusions = confusions[confusions.sum(axis=(1, 2, 3)) > 0]
    value = float(MEASURES[metric](confusions.sum(axis=0)).mean())
    if len(confusions) < 2:
        return Interval(value, float("nan"), float("nan"))
    right, said = shares(confusions, metric)
    n = independent_utterances(value, right.sum(axis=0), said.sum(axis=0))
    low, high = clopper_pearson(value, n, level)
    variance, df = spread_over_speakers(right, said)
    if not df:
        return Interval(value, 0.0, 1.0)
    if variance > 0 and 0 < value < 1:
        of_speakers = score_interval(value, variance, float(stdtrit(df, (1 + level) / 2)))
        low, high = min(low, of_speakers[0]), max(high, of_speakers[1])
    return Interval(value, min(low, value), max(high, value))


def few_speakers(clusters: int) -> str:
    """What an interval of few speakers cannot know, in a sentence; '' where there are enough."""
    if clusters > FEW:
        return ""
    if clusters < 2:
        return (
            "All test utterances are of one speaker: how other speakers would do cannot be known, so there is no "
            "interval."
        )
    return (
        f"Only {clusters} test speakers: how much speakers differ cannot be known from so few, so the intervals "
        "are wide."
    )


def speakers_in_words(speakers: pd.Series) -> list[str]:
    """What must be known of the tested utterances' speakers, one each, blank where unknown; [] where all is well."""
    unknown = int(speakers.isna().sum())
    told = [few_speakers(speakers.nunique() + unknown)]
    if unknown:
        told.append(
            f"{unknown} of {len(speakers)} test utterances have no speaker and count as speakers of their own: where "
            "some are of one person, intervals are too narrow. Fill in the column 'speaker'."
        )
    return [text for text in told if text]


def shares(confusions: np.ndarray, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Correct and all utterances of each speaker: one share for ACC, one per class for BACC.

    Args:
        confusions: (speakers, tables, classes, classes).
        metric: "acc" or "bacc".

    Returns:
        Two arrays (speakers, tables, shares).
    """
    right, said = np.diagonal(confusions, axis1=-2, axis2=-1), confusions.sum(axis=-1)
    if metric == "acc":
        right, said = right.sum(axis=-1, keepdims=True), said.sum(axis=-1, keepdims=True)
    return right, said


def independent_utterances(value: float, right: np.ndarray, said: np.ndarray) -> float:
    """How many independent utterances tell a share as well as these, all of them at most.

    Of BACC a rare class decides: the variance is the mean of its recalls', over classes squared.

    Args:
        value: The share, 0 to 1.
        right: (tables, shares) correct utterances.
        said: (tables, shares) utterances.
    """
    occurs = said > 0
    each = np.where(occurs, said, np.inf)
    count = occurs.sum(axis=-1)
    recall = right / each
    variance = float(((recall * (1 - recall) / each).sum(axis=-1) / count**2).mean())
    alike = float((count**2 / (1 / each).sum(axis=-1)).mean())  # as many where all recalls are equal
    return min(alike, value * (1 - value) / variance) if variance > 0 else alike


def spread_over_speakers(right: np.ndarray, said: np.ndarray) -> tuple[float, float]:
    """Variance of the metric over draws of speakers, and its degrees of freedom.

    The variance of a linearised statistic, sum_i e_i^2, without bias and with Satterthwaite's degrees of freedom where
    speakers differ by one effect each (Bell and McCaffrey 2002; Pustejovsky and Tipton 2018). With X the part of
    each share's utterances that a speaker says, (speakers, shares), g the weights of the shares and W = X g, speakers'
    effects u give e = K u, K = diag(W) - X diag(g) X': the expectation of sum e_i^2 is tr(K^2), where W'W is meant,
    and its degrees of freedom are tr(K^2)^2 / tr(K^4).

    Args:
        right: (speakers, tables, shares) correct utterances, see ``shares``.
        said: (speakers, tables, shares) utterances.

    Returns:
        (0, 0) where it cannot be known.
    """
    tables = said.shape[1]
    occurs = said.sum(axis=0) > 0
    g = (occurs / occurs.sum(axis=-1, keepdims=True) / tables)[occurs]
    right, said = right[:, occurs], said[:, occurs]  # (speakers, tables x shares that occur)
    total = said.sum(axis=0)
    x = said / total
    e = ((right - right.sum(axis=0) / total * said) / total) @ g
    w = x @ g
    # K^2 = diag(W)^2 + Y L Y', so no matrix of speakers by speakers is made
    z = x * np.sqrt(g)
    y = np.concatenate([z, w[:, None] * z], axis=1)
    one = np.eye(z.shape[1])
    lower = y.T @ y
    square = np.block([[z.T @ z, -one], [-one, np.zeros_like(one)]])
    trace2 = float((w**2).sum() + np.trace(square @ lower))
    if trace2 <= _NOTHING * float((w**2).sum()):
        return 0.0, 0.0
    product = square @ lower
    trace4 = float(
        (w**4).sum() + 2 * np.trace(square @ (y.T @ (w[:, None] ** 2 * y))) + np.trace(product @ product)
    )
    return float((e**2).sum() * (w**2).sum() / trace2), max(1.0, trace2**2 / trace4)


def score_interval(value: float, variance: float, t: float) -> tuple[float, float]:
    """The p with (value - p)^2 <= t^2 variance p (1 - p) / (value (1 - value))."""
    own = value * (1 - value)
    c = t * t * variance / own
    center, half = (value + c / 2) / (1 + c), np.sqrt(c * own + c * c / 4) / (1 + c)
    return float(center - half), float(center + half)


def clopper_pearson(value: float, n: float, level: float) -> tuple[float, float]:
    """The exact binomial interval of a share of n utterances; n need not be whole (Korn and Graubard 1998)."""
    hits, tail = value * n, (1 - level) / 2
    low = float(betaincinv(hits, n - hits + 1, tail)) if hits > _NOTHING else 0.0
    high = float(betaincinv(hits + 1, n - hits, 1 - tail)) if n - hits > _NOTHING else 1.0
    return low, high


MEASURES = {"acc": accuracy, "bacc": balanced_accuracy}

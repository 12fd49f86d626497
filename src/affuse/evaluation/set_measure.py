"""What tasks of several labels at once are measured by: sums of counts per label, which speakers add up to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import expit, logit, ndtr, stdtrit

from affuse.evaluation.differences import Difference, paired_difference
from affuse.evaluation.intervals import LEVEL, Answers, Interval, speakers_of
from affuse.evaluation.label_sets import (
    LABEL_SET_METRICS,
    has_set,
    macro_f1,
    measure_label_sets,
    members,
    micro_f1,
)
from affuse.evaluation.measure import Measure
from affuse.evaluation.resampling import resample

_OF_COUNTS = {"macro_f1": macro_f1, "micro_f1": micro_f1}


class SetMeasure(Measure):
    """A task of kind multilabel: macro-F1 judges.

    Args:
        task: For example "emotions".
        labels: In order.

    Examples:
        >>> table = pd.DataFrame({"t": ["x", "x;y", ""], "t_predicted": ["x", "x", "y"]})
        >>> table = table.assign(t_p_x=[0.9, 0.8, 0.4], t_p_y=[0.1, 0.3, 0.6])
        >>> SetMeasure("t", ["x", "y"]).values(table)["macro_f1"]
        0.5
    """

    kind = "multilabel"
    metrics = tuple(LABEL_SET_METRICS)
    main, second = "macro_f1", "micro_f1"
    grouped = papers = (main, second)
    largest = 1.0

    def __init__(self, task: str, labels: Sequence[str]) -> None:
        super().__init__(task)
        self.labels = list(labels)

    def known(self, table: pd.DataFrame) -> np.ndarray:
        """Rows whose labels are known, be it that there is none."""
        if self.task not in table.columns or f"{self.task}_predicted" not in table.columns:
            return np.zeros(len(table), bool)
        return has_set(table, self.task).to_numpy(bool)

    def values(self, table: pd.DataFrame) -> dict[str, float]:
        """See ``label_sets.measure_label_sets``."""
        found = measure_label_sets(table, self.task, self.labels)
        return {name: getattr(found, name) for name in self.metrics}

    def answers(self, tables: Sequence[pd.DataFrame], clusters: pd.Series) -> list[Answers]:
        """Labels and answers, (n, labels) of bool each."""
        found: list[Answers] = []
        for table in tables:
            rows = table[self.known(table)]
            pair = (members(rows[name], self.labels) for name in (self.task, f"{self.task}_predicted"))
            found.append(Answers(rows["id"], speakers_of(rows["id"], clusters).tolist(), *pair))
        return found

    def sums(self, answers: Sequence[Answers], names: Sequence[str] | None = None) -> np.ndarray:
        """(speakers, tables, 4, labels): the counts of ``label_sets.counts_of``, and the utterances."""
        if names is None:
            names = sorted({name for of in answers for name in of.speakers})
        index = {name: i for i, name in enumerate(names)}
        counts = np.zeros((len(names), len(answers), 4, len(self.labels)))
        for seed, of in enumerate(answers):
            each = np.stack([of.true & of.called, of.true, of.called, np.ones_like(of.true)], axis=1)
            np.add.at(counts[:, seed], np.array([index[name] for name in of.speakers], int), each)
        return counts

    def utterances(self, sums: np.ndarray) -> np.ndarray:
        """The last of the counts, the same for every label."""
        return sums[..., 3, 0]

    def of(self, sums: np.ndarray, metric: str) -> np.ndarray:
        """Macro- or micro-F1."""
        return _OF_COUNTS[metric](sums[..., :3, :])

    def interval(self, sums: np.ndarray, metric: str) -> Interval:
        """See ``f1_interval``; mAP has none."""
        if metric in _OF_COUNTS:
            return f1_interval(sums[..., :3, :], metric)
        return Interval(float("nan"), float("nan"), float("nan"))

    def resampled(self, sums: np.ndarray, times: np.ndarray, metric: str) -> np.ndarray:
        """A draw that lost a label measures the mean over the others."""
        return resample(sums, times, lambda of: self.of(of, metric))

    def difference(self, reference: np.ndarray, other: np.ndarray, metric: str) -> Difference:
        """As for classes: both lose and repeat the same speakers."""
        self.check_paired(reference, other)
        return paired_difference(reference, other, lambda of: self.of(of, metric))

    def chance(self, tables: Sequence[pd.DataFrame]) -> tuple[float, float]:
        """See ``chance_of``."""
        return chance_of(self.answers(tables, pd.Series(dtype=object)))


def f1_interval(counts: np.ndarray, metric: str, level: float = LEVEL) -> Interval:
    """Macro- or micro-F1, averaged over tables, and its interval over speakers: what it is for others of their kind.

    Speakers are left out one at a time (the jackknife for clusters: Miller 1974; Shao and Tu 1995, section 2.2); the
    spread of log(F1 / (1 - F1)) gives its standard error, and the interval is Student's t with speakers - 1 degrees of
    freedom, carried back. The thresholds are taken as they are.

    Args:
        counts: (speakers, tables, 3, labels), see ``label_sets.counts_of``.
        metric: "macro_f1" or "micro_f1".
        level: 0 to 1.

    Returns:
        NaN for both ends where there are fewer than two speakers, where no speaker makes a difference, or where F1 is
        0, 1 or not known.

    Examples:
        >>> ann, bob, cem = [[4, 1], [5, 2], [5, 2]], [[3, 2], [4, 3], [4, 2]], [[2, 1], [4, 1], [3, 2]]
        >>> [round(one, 2) for one in f1_interval(np.array([[ann], [bob], [cem]]), "macro_f1")]
        [0.69, 0.45, 0.86]
    """
    measured = _OF_COUNTS[metric]
    k, whole = len(counts), counts.sum(axis=0)
    value, without = float(measured(whole).mean()), measured(whole - counts).mean(axis=-1)
    if k < 2 or not 0 < value < 1 or not ((without > 0) & (without < 1)).all():
        return Interval(value, float("nan"), float("nan"))
    spread = logit(without)
    error = float(np.sqrt((k - 1) / k * np.square(spread - spread.mean()).sum()))
    if not error:
        return Interval(value, float("nan"), float("nan"))
    half, middle = float(stdtrit(k - 1, (1 + level) / 2)) * error, float(logit(value))
    return Interval(value, float(expit(middle - half)), float(expit(middle + half)))


def chance_of(answers: Sequence[Answers]) -> tuple[float, float]:
    """Macro-F1 of the same answers given to other utterances, and the one-sided p value against that.

    Where answers are permuted over the utterances, each label is there and told as often as before, so macro-F1 is a
    sum over utterances with known weights: its mean and variance over all permutations are exact (Hoeffding 1951,
    "A combinatorial central limit theorem"); the tail is that of a normal. Utterances count as independent.

    Args:
        answers: Of each table (seed): the same utterances answered anew, so that their F1 is averaged and its deviation
            is that of one.

    Returns:
        NaN where no label occurs, or there is one utterance alone.
    """
    chances: list[float] = []
    excess: list[float] = []
    deviations: list[float] = []
    for of in answers:
        true, called, n = of.true.astype(float), of.called.astype(float), len(of.true)
        there, told = true.sum(axis=0), called.sum(axis=0)
        occurs = there > 0
        if n < 2 or not occurs.any():
            continue
        weight = np.where(occurs, 2 / np.maximum(there + told, 1), 0.0) / occurs.sum()
        chance = float((weight * there * told / n).sum())
        true, called = true - true.mean(axis=0), called - called.mean(axis=0)
        products = (true.T @ true) * np.outer(weight, weight) * (called.T @ called)
        chances.append(chance)
        excess.append(float((weight * (of.true & of.called).sum(axis=0)).sum()) - chance)
        deviations.append(float(np.sqrt(products.sum() / (n - 1))))
    if not chances:
        return float("nan"), float("nan")
    deviation = float(np.mean(deviations))
    p = float(ndtr(-np.mean(excess) / deviation)) if deviation > 0 else 1.0
    return float(np.mean(chances)), p

"""What each kind of task is measured by: one ``Measure`` per kind, which tables, tests and reports ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.convergence import chance_p
from affuse.evaluation.differences import Difference, paired_difference
from affuse.evaluation.dimensions import measure_dimension, rated_rows
from affuse.evaluation.intervals import (
    MEASURES,
    Answers,
    Interval,
    answers_of,
    count_confusions,
    speaker_interval,
    speakers_of,
)
from affuse.evaluation.measure import SHOWN, Measure, Shown
from affuse.evaluation.metrics import METRICS
from affuse.evaluation.predictions import has_label, measure_table
from affuse.evaluation.rating_sums import RATING_MEASURES, above_chance_p, rating_interval, sum_ratings
from affuse.evaluation.resampling import resample
from affuse.evaluation.set_measure import SetMeasure

__all__ = [
    "KINDS", "SHOWN", "ClassMeasure", "Measure", "RatingMeasure", "SetMeasure", "Shown", "kind_of", "measure_of",
    "measures_of",
]  # fmt: skip


class ClassMeasure(Measure):
    """A task of kind classes: BACC judges.

    Args:
        task: For example "emotion".
        space: The classes, in order.

    Examples:
        >>> table = pd.DataFrame({"t": ["x", "y", ""], "t_predicted": ["x", "x", "y"]})
        >>> ClassMeasure("t", ["x", "y"]).values(table)["bacc"]
        0.5
    """

    kind = "classes"
    metrics = METRICS
    main, second = "bacc", "acc"
    grouped = papers = tuple(MEASURES)
    largest = 1.0

    def __init__(self, task: str, space: Sequence[str]) -> None:
        super().__init__(task)
        self.space = list(space)

    def known(self, table: pd.DataFrame) -> np.ndarray:
        """Rows whose label is one of the classes."""
        if self.task not in table.columns:
            return np.zeros(len(table), bool)
        return table[self.task].isin(self.space).to_numpy(bool)

    def has_label(self, table: pd.DataFrame) -> bool:
        """Whether any row has one of the classes."""
        return self.task in table.columns and has_label(table, self.task, self.space)

    def values(self, table: pd.DataFrame) -> dict[str, float]:
        """See ``metrics.measure``."""
        found = measure_table(table, self.task, self.space)
        return {name: getattr(found, name) for name in METRICS}

    def answers(self, tables: Sequence[pd.DataFrame], clusters: pd.Series) -> list[Answers]:
        """Labels and answers as class indices."""
        return answers_of(tables, self.task, self.space, clusters)

    def sums(self, answers: Sequence[Answers], names: Sequence[str] | None = None) -> np.ndarray:
        """Confusion matrices: (speakers, tables, classes, classes)."""
        return count_confusions(answers, len(self.space), names)

    def utterances(self, sums: np.ndarray) -> np.ndarray:
        """All counts of a matrix."""
        return sums.sum(axis=(-2, -1))

    def of(self, sums: np.ndarray, metric: str) -> np.ndarray:
        """ACC or BACC of confusion matrices."""
        return MEASURES[metric](sums)

    def interval(self, sums: np.ndarray, metric: str) -> Interval:
        """See ``intervals.speaker_interval``; F1 has none."""
        if metric in MEASURES:
            return speaker_interval(sums, metric)
        return Interval(float("nan"), float("nan"), float("nan"))

    def resampled(self, sums: np.ndarray, times: np.ndarray, metric: str) -> np.ndarray:
        """See ``resampling.resample``."""
        return resample(sums, times, metric)

    def difference(self, reference: np.ndarray, other: np.ndarray, metric: str) -> Difference:
        """See ``differences.paired_difference``."""
        return paired_difference(reference, other, metric)

    def chance(self, tables: Sequence[pd.DataFrame]) -> tuple[float, float]:
        """One over the number of classes that occur; see ``convergence.chance_p``."""
        confusions = [measure_table(table, self.task, self.space).confusion for table in tables]
        return 1 / int((confusions[0].sum(axis=1) > 0).sum()), chance_p(confusions)


class RatingMeasure(Measure):
    """A task of kind regression: CCC judges.

    Args:
        task: For example "valence".

    Examples:
        >>> table = pd.DataFrame({"v": [1, 2, 3], "v_predicted": [2, 3, 4]})
        >>> round(RatingMeasure("v").values(table)["ccc"], 3)
        0.571
    """

    kind = "regression"
    metrics = tuple(RATING_MEASURES)
    main, second = "ccc", "rmse"
    grouped = papers = (main, second)
    largest = 2.0

    def known(self, table: pd.DataFrame) -> np.ndarray:
        """Rows that have a rating."""
        if self.task not in table.columns or f"{self.task}_predicted" not in table.columns:
            return np.zeros(len(table), bool)
        return pd.to_numeric(table[self.task]).notna().to_numpy(bool)

    def values(self, table: pd.DataFrame) -> dict[str, float]:
        """See ``dimensions.measure_ratings``."""
        found = measure_dimension(table, self.task)._asdict()
        return {name: found[name] for name in self.metrics}

    def answers(self, tables: Sequence[pd.DataFrame], clusters: pd.Series) -> list[Answers]:
        """Ratings and answers in units of the ratings."""
        found: list[Answers] = []
        for table in tables:
            rated = rated_rows(table, self.task)
            pair = (rated[name].to_numpy(float) for name in (self.task, f"{self.task}_predicted"))
            found.append(Answers(rated["id"], speakers_of(rated["id"], clusters).tolist(), *pair))
        return found

    def sums(self, answers: Sequence[Answers], names: Sequence[str] | None = None) -> np.ndarray:
        """See ``rating_sums.sum_ratings``."""
        return sum_ratings(answers, names)

    def utterances(self, sums: np.ndarray) -> np.ndarray:
        """The first of the sums."""
        return sums[..., 0]

    def of(self, sums: np.ndarray, metric: str) -> np.ndarray:
        """Any of ``metrics``."""
        return RATING_MEASURES[metric](sums)

    def interval(self, sums: np.ndarray, metric: str) -> Interval:
        """See ``rating_sums.rating_interval``."""
        return rating_interval(sums, metric)

    def resampled(self, sums: np.ndarray, times: np.ndarray, metric: str) -> np.ndarray:
        """A draw whose ratings and answers are all one number has no CCC."""
        return resample(sums, times, RATING_MEASURES[metric])

    def difference(self, reference: np.ndarray, other: np.ndarray, metric: str) -> Difference:
        """As for classes: both lose and repeat the same speakers."""
        self.check_paired(reference, other)
        return paired_difference(reference, other, RATING_MEASURES[metric])

    def chance(self, tables: Sequence[pd.DataFrame]) -> tuple[float, float]:
        """CCC 0; see ``rating_sums.above_chance_p``."""
        nobody = pd.Series(dtype=object)
        sums = [self.speaker_sums([table], nobody).sum(axis=0)[0] for table in tables]
        return 0.0, above_chance_p(np.stack(sums))


# in this order ``kind_of`` looks for their main metrics: macro-F1 is one of classes' metrics too
KINDS: tuple[type[Measure], ...] = (ClassMeasure, RatingMeasure, SetMeasure)


def kind_of(metrics: Sequence[str]) -> type[Measure]:
    """The kind of task that a table's lines of these metrics are of."""
    return next((kind for kind in KINDS if kind.main in metrics), ClassMeasure)


def measure_of(task: str, about: Mapping[str, Any]) -> Measure:
    """The measure of a task as ``comparison.json`` describes it."""
    if about.get("kind") == RatingMeasure.kind:
        return RatingMeasure(task)
    return (SetMeasure if about.get("kind") == SetMeasure.kind else ClassMeasure)(task, about["classes"])


def measures_of(
    spaces: Mapping[str, Sequence[str]],
    rated: Sequence[str] = (),
    label_sets: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Measure]:
    """Task -> its measure, of classes, of ratings and of several labels at once.

    Args:
        spaces: Task -> its classes.
        rated: The tasks of kind regression.
        label_sets: Task -> its labels, of those of kind multilabel.
    """
    classes: dict[str, Measure] = {task: ClassMeasure(task, space) for task, space in spaces.items()}
    ratings: dict[str, Measure] = {task: RatingMeasure(task) for task in rated}
    return classes | ratings | {task: SetMeasure(task, labels) for task, labels in (label_sets or {}).items()}

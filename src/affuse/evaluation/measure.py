"""What a measure of a kind of task is, and how its metrics are shown.

A metric is a function of sums over utterances: counts of a confusion matrix, sums of squares. So speakers can be added
up, left out and drawn again, and every interval and every test over speakers is the same for all kinds of tasks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import pandas as pd

from affuse.evaluation.differences import Difference
from affuse.evaluation.intervals import Answers, Interval


class Shown(NamedTuple):
    """How a metric is shown.

    Args:
        name: In sentences.
        title: As a heading, with the field's other names.
        factor: What a value is multiplied by.
        digits: Decimals of it.
        unit: Of a difference, in sentences.
    """

    name: str
    title: str
    factor: float = 100
    digits: int = 1
    unit: str = " points"

    @property
    def percent(self) -> bool:
        """Whether it is a share, shown in percent."""
        return self.factor == 100

    def text(self, value: float) -> str:
        """The value as text; differences may be below 0."""
        return f"{self.factor * value:.{self.digits}f}"


SHOWN = {
    "acc": Shown("ACC", "ACC (WA)"),
    "bacc": Shown("BACC", "BACC (UA)"),
    "macro_f1": Shown("macro F1", "macro F1"),
    "weighted_f1": Shown("weighted F1", "weighted F1"),
    "ccc": Shown("CCC", "CCC", 1, 3, ""),
    "pearson": Shown("Pearson's correlation", "Pearson", 1, 3, ""),
    "rmse": Shown("RMSE", "RMSE", 1, 3, ""),
    "mae": Shown("MAE", "MAE", 1, 3, ""),
    "micro_f1": Shown("micro F1", "micro F1"),
    "map": Shown("mAP", "mAP"),
}


class Measure(ABC):
    """One task's metrics over prediction tables.

    A new kind of task is a subclass: its metrics in ``SHOWN``, what its utterances add up to (``sums``), and each
    metric as a function of that (``of``).

    Args:
        task: For example "emotion".
    """

    kind: ClassVar[str]  # of the recipe's task
    metrics: ClassVar[tuple[str, ...]]  # of results.csv, in order
    main: ClassVar[str]  # judges rows and chooses the best single modality
    second: ClassVar[str]  # tested beside it
    grouped: ClassVar[tuple[str, ...]]  # of groups of utterances, in order
    papers: ClassVar[tuple[str, ...]]  # of a paper's table, in order
    higher_is_better: ClassVar[bool] = True  # of ``main``
    largest: ClassVar[float]  # no true difference of ``main`` is larger

    def __init__(self, task: str) -> None:
        self.task = task

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.task!r})"

    @abstractmethod
    def known(self, table: pd.DataFrame) -> np.ndarray:
        """(rows,) of bool: those that have a label of the task."""

    @abstractmethod
    def values(self, table: pd.DataFrame) -> dict[str, float]:
        """``metrics`` over the rows that have a label. Raises ValueError where there is none."""

    @abstractmethod
    def answers(self, tables: Sequence[pd.DataFrame], clusters: pd.Series) -> list[Answers]:
        """The labelled utterances of each table with their speakers; ``clusters``: utterance id -> speaker."""

    @abstractmethod
    def sums(self, answers: Sequence[Answers], names: Sequence[str] | None = None) -> np.ndarray:
        """(speakers, tables, ...): what a speaker's utterances add up to; ``names``: the speakers, in order."""

    @abstractmethod
    def utterances(self, sums: np.ndarray) -> np.ndarray:
        """How many utterances sums (speakers, tables, ...) are of: (speakers, tables)."""

    @abstractmethod
    def of(self, sums: np.ndarray, metric: str) -> np.ndarray:
        """``main`` or ``second`` of sums (tables, ...): (tables,)."""

    @abstractmethod
    def interval(self, sums: np.ndarray, metric: str) -> Interval:
        """Of a metric over speakers, averaged over tables; NaN ends where it has none."""

    @abstractmethod
    def resampled(self, sums: np.ndarray, times: np.ndarray, metric: str) -> np.ndarray:
        """(resamples,): ``main`` or ``second`` of each draw of speakers, averaged over tables; NaN where undefined.

        ``times``: (resamples, speakers), see ``resampling.draw_speakers``.
        """

    @abstractmethod
    def difference(self, reference: np.ndarray, other: np.ndarray, metric: str) -> Difference:
        """``other`` minus ``reference``, paired over speakers, see ``differences.paired_difference``."""

    @abstractmethod
    def chance(self, tables: Sequence[pd.DataFrame]) -> tuple[float, float]:
        """``main`` of answers that know nothing of the labels, and the p value against them; NaN where unknown.

        Tables are of several seeds, the same utterances answered anew.
        """

    def check_paired(self, reference: np.ndarray, other: np.ndarray) -> None:
        """Raise ValueError where sums of two rows are not of the same speakers with as many utterances each."""
        said = [self.utterances(sums) for sums in (reference, other)]
        if (
            len(said[0]) != len(said[1])
            or (said[0][:, :1] != said[1]).any()
            or (said[0] != said[1][:, :1]).any()
        ):
            raise ValueError("a paired difference needs the same utterances on both sides")

    def has_label(self, table: pd.DataFrame) -> bool:
        """Whether any row has a label of the task."""
        return bool(self.known(table).any())

    def speaker_sums(
        self, tables: Sequence[pd.DataFrame], clusters: pd.Series, names: Sequence[str] | None = None
    ) -> np.ndarray:
        """``sums`` of prediction tables."""
        return self.sums(self.answers(tables, clusters), names)

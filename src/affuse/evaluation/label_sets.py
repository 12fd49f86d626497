"""Several labels at once: their text in tables, thresholds fitted on validation, macro-F1, micro-F1 and mAP."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

JOINT = ";"  # between labels; alone: none of them
EVEN = 0.5  # the threshold of a label where nothing was there to fit it on
DIGITS = 6  # of probabilities in tables, by which labels are told too
LABEL_SET_METRICS = {"macro_f1": "macro F1", "micro_f1": "micro F1", "map": "mAP"}  # name -> as it is shown


class LabelSetMetrics(NamedTuple):
    """How well answers agree with sets of labels; 0 to 1, NaN where nothing is to be found.

    Args:
        macro_f1: Mean F1 over the labels that some utterance has.
        micro_f1: F1 of all decisions about utterance and label together.
        map: Mean average precision over the labels that some utterance has; no threshold has a part in it.
        f1: Label -> F1, NaN of one that no utterance has.
        ap: Label -> average precision, NaN of one that no utterance has.
        support: Label -> utterances that have it.
        n: Utterances.
    """

    macro_f1: float
    micro_f1: float
    map: float
    f1: dict[str, float]
    ap: dict[str, float]
    support: dict[str, int]
    n: int


class SetAnswers(NamedTuple):
    """What a prediction table holds of a task of several labels.

    Args:
        labels: Their names.
        truth: (n, labels) of 0 and 1, a row of NaN where nothing is known.
        probabilities: (n, labels).
        thresholds: (labels,) the probability from which each is told.
    """

    labels: Sequence[str]
    truth: np.ndarray
    probabilities: np.ndarray
    thresholds: Sequence[float]

    def columns(self, task: str) -> dict[str, object]:
        """<task> ("a;b", ";" for none of them, "" where blank), <task>_predicted, <task>_p_<label>."""
        probabilities = self.probabilities.astype(np.float64).round(DIGITS)
        blank = np.isnan(self.truth).any(axis=1)
        sets = (np.equal(self.truth, 1), told(probabilities, self.thresholds))
        true, called = ([joined(row, self.labels) for row in np.asarray(one).tolist()] for one in sets)
        found: dict[str, object] = {task: np.where(blank, "", true), f"{task}_predicted": called}
        return found | {f"{task}_p_{label}": probabilities[:, i] for i, label in enumerate(self.labels)}


def told(probabilities: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Which labels are told, (n, labels) of bool."""
    return probabilities.round(DIGITS) >= np.asarray(thresholds)


def joined(row: Iterable[bool], labels: Sequence[str]) -> str:
    """A set as text.

    Examples:
        >>> joined([True, False, True], ["anger", "fear", "joy"]), joined([False] * 3, ["anger", "fear", "joy"])
        ('anger;joy', ';')
    """
    return JOINT.join(label for label, there in zip(labels, row, strict=True) if there) or JOINT


def parted(text: str) -> list[str]:
    """The labels of a text, in its order.

    Examples:
        >>> parted("joy; anger"), parted(";")
        (['joy', 'anger'], [])
    """
    return [name for part in text.split(JOINT) if (name := part.strip())]


def measure_sets(
    truth: np.ndarray, probabilities: np.ndarray, thresholds: Sequence[float], labels: Sequence[str]
) -> LabelSetMetrics:
    """Measure answers against sets of labels; blanks are left out before.

    Args:
        truth: (n, labels) of 0 and 1.
        probabilities: (n, labels).
        thresholds: (labels,), see ``fit_thresholds``.
        labels: Their names.

    Raises:
        ValueError: There is no utterance.

    Examples:
        >>> truth = np.array([[1, 0], [1, 1], [0, 0], [0, 1]])
        >>> probabilities = np.array([[0.9, 0.2], [0.6, 0.7], [0.7, 0.1], [0.2, 0.3]])
        >>> found = measure_sets(truth, probabilities, [0.5, 0.5], ["anger", "joy"])
        >>> round(found.macro_f1, 3), round(found.micro_f1, 3), round(found.map, 3), found.support["joy"]
        (0.733, 0.75, 0.917, 2)
    """
    if not len(truth):
        raise ValueError("there is no labelled utterance to measure")
    truth = truth.astype(bool)
    return _of(
        counts_of(truth, told(probabilities, thresholds)),
        _precisions(truth, probabilities),
        labels,
        len(truth),
    )


def measure_label_sets(
    table: pd.DataFrame, task: str, labels: Sequence[str], role: str | None = None
) -> LabelSetMetrics:
    """Metrics over the rows of a prediction table whose labels are known, by the answers that it has.

    Args:
        table: See ``predictions.prediction_table``.
        task: For example "emotions".
        labels: In order.
        role: Of the rows; None: all.

    Raises:
        ValueError: No row's labels are known.

    Examples:
        >>> table = pd.DataFrame({"t": ["a", "a;b", ""], "t_predicted": ["a", "b", ";"]})
        >>> table = table.assign(t_p_a=[0.9, 0.4, 0.1], t_p_b=[0.1, 0.8, 0.2])
        >>> found = measure_label_sets(table, "t", ["a", "b"])
        >>> round(found.macro_f1, 3), found.map, found.n
        (0.833, 1.0, 2)
    """
    rows = table if role is None else table[table["role"] == role]
    rows = rows[has_set(rows, task)]
    if not len(rows):
        raise ValueError("there is no labelled utterance to measure")
    truth, called = (members(rows[name], labels) for name in (task, f"{task}_predicted"))
    probabilities = rows[[f"{task}_p_{label}" for label in labels]].to_numpy(float)
    return _of(counts_of(truth, called), _precisions(truth, probabilities), labels, len(rows))


def has_set(table: pd.DataFrame, task: str) -> pd.Series:
    """Which rows of a prediction table have known labels of a task, (rows,) bool."""
    return table[task].notna() & (table[task] != "")


def members(texts: Iterable[str], labels: Sequence[str]) -> np.ndarray:
    """Texts as (n, labels) of bool; a label that is not among ``labels`` counts for nothing."""
    sets = [set(parted(text)) for text in texts]
    return np.array([[label in one for label in labels] for one in sets], dtype=bool).reshape(-1, len(labels))


def counts_of(truth: np.ndarray, called: np.ndarray) -> np.ndarray:
    """Of each label how often it was told rightly, how often it is there, how often it was told: (3, labels)."""
    return np.stack([(truth & called).sum(axis=0), truth.sum(axis=0), called.sum(axis=0)])


def macro_f1(counts: np.ndarray) -> np.ndarray:
    """Mean F1 over the labels that occur, of counts (..., 3, labels) as ``counts_of`` has them; NaN where none does."""
    right, there, called = (counts[..., i, :] for i in range(3))
    f1 = 2 * right / np.maximum(there + called, 1)  # 2 precision recall / (precision + recall)
    occurs = there > 0
    with np.errstate(invalid="ignore"):
        return np.where(occurs, f1, 0.0).sum(axis=-1) / occurs.sum(axis=-1)


def micro_f1(counts: np.ndarray) -> np.ndarray:
    """F1 of all decisions together, of counts (..., 3, labels); NaN where no label is there and none was told."""
    right, there, called = (counts[..., i, :].sum(axis=-1) for i in range(3))
    with np.errstate(invalid="ignore"):
        return 2 * right / (there + called)


def fit_thresholds(truth: np.ndarray, probabilities: np.ndarray) -> list[float]:
    """For each label the threshold with the best F1: on validation, never on test.

    Each label's own best threshold also gives the best macro-F1 ("SCut": Yang 2001, "A study of thresholding strategies
    for text categorization"). It lies half way between the two probabilities that it parts; of equally good ones the
    nearest to 0.5 is taken. A label that no utterance has keeps 0.5. On few utterances of a label the threshold is as
    uncertain as their number is small.

    Args:
        truth: (n, labels) of 0 and 1.
        probabilities: (n, labels).

    Examples:
        >>> truth = np.array([[1, 0], [1, 0], [0, 0], [0, 0]])
        >>> fit_thresholds(truth, np.array([[0.9, 0.2], [0.3, 0.7], [0.2, 0.1], [0.1, 0.3]]))
        [0.25, 0.5]
    """
    from sklearn.metrics import precision_recall_curve

    found: list[float] = []
    for there, p in zip(truth.T.astype(bool), probabilities.T.round(DIGITS), strict=True):
        if not there.any():
            found.append(EVEN)
            continue
        precision, recall, scores = precision_recall_curve(there, p)
        precision, recall = precision[:-1], recall[:-1]  # the last point is that of telling nobody
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        thresholds = (scores + np.concatenate([[0.0], scores[:-1]])) / 2
        best = thresholds[f1 >= f1.max() - 1e-12]
        found.append(float(best[np.abs(best - EVEN).argmin()]))
    return found


def _of(counts: np.ndarray, precisions: np.ndarray, labels: Sequence[str], n: int) -> LabelSetMetrics:
    right, there, called = counts
    occurs = there > 0
    f1 = np.where(occurs, 2 * right / np.maximum(there + called, 1), np.nan)
    return LabelSetMetrics(
        macro_f1=float(macro_f1(counts)),
        micro_f1=float(micro_f1(counts)),
        map=float(precisions[occurs].mean()) if occurs.any() else float("nan"),
        f1={label: float(f1[i]) for i, label in enumerate(labels)},
        ap={label: float(precisions[i]) for i, label in enumerate(labels)},
        support={label: int(there[i]) for i, label in enumerate(labels)},
        n=n,
    )


def _precisions(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """(labels,) average precision: the sum over thresholds of precision times the step of recall (scikit-learn's)."""
    from sklearn.metrics import average_precision_score

    return np.array(
        [
            average_precision_score(there, p) if there.any() else np.nan
            for there, p in zip(truth.T, probabilities.T, strict=True)
        ]
    )

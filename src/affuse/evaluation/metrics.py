"""Metrics of one task from labels and predictions, all from its confusion matrix.

scikit-learn is their test. Its calls take 2 ms and more for any number of utterances, as long as several epochs of a
small stacked run, and it warns through a filter that all threads share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

METRICS = ("acc", "bacc", "macro_f1", "weighted_f1")


@dataclass(frozen=True)
class Metrics:
    """ACC (the field's WA), BACC (the field's UA or UAR), F1 scores, recall per class and counts.

    Args:
        acc: Share of correct answers, 0 to 1.
        bacc: Mean recall over the classes that occur among the labels, 0 to 1.
        macro_f1: Mean F1 over the classes that occur, 0 to 1.
        weighted_f1: The same weighted by their number of utterances.
        recall: Class -> recall, NaN for a class that does not occur.
        confusion: (classes, classes); ``confusion[i, j]`` counts utterances of class i called class j.
        n: Utterances.
    """

    acc: float
    bacc: float
    macro_f1: float
    weighted_f1: float
    recall: dict[str, float]  # class -> recall, NaN for a class that does not occur
    confusion: np.ndarray  # (classes, classes)
    n: int


def measure(
    labels: Sequence[int] | np.ndarray, predicted: Sequence[int] | np.ndarray, classes: Sequence[str]
) -> Metrics:
    """Measure answers against labels; blanks are left out before.

    Args:
        labels: (n,) class indices.
        predicted: (n,) class indices.
        classes: Their names, in order.

    Raises:
        ValueError: There is no utterance.

    Examples:
        >>> found = measure([0, 0, 0, 1], [0, 0, 1, 1], ["joy", "anger"])
        >>> found.acc, round(found.bacc, 3), found.recall["anger"]
        (0.75, 0.833, 1.0)
    """
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    if len(labels) == 0:
        raise ValueError("there is no labelled utterance to measure")
    count = len(classes)
    confusion = np.bincount(labels * count + predicted, minlength=count * count).reshape(count, count)
    support, right = confusion.sum(axis=1), np.diag(confusion)
    with np.errstate(invalid="ignore"):
        recall = right / support
    occurring = support > 0
    # F1 = 2 precision recall / (precision + recall), 0 for a class that occurs and is never called
    f1 = 2 * right[occurring] / (support + confusion.sum(axis=0))[occurring]
    return Metrics(
        acc=float((labels == predicted).mean()),
        bacc=float(recall[occurring].mean()),
        macro_f1=float(f1.mean()),
        weighted_f1=float(np.average(f1, weights=support[occurring])),
        recall={name: float(recall[i]) for i, name in enumerate(classes)},
        confusion=confusion,
        n=len(labels),
    )

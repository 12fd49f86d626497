"""Metrics of one task from labels and predictions, by scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import confusion_matrix, f1_score

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
    every = list(range(len(classes)))
    confusion = confusion_matrix(labels, predicted, labels=every)
    support = confusion.sum(axis=1)
    with np.errstate(invalid="ignore"):
        recall = np.diag(confusion) / support
    occurring = [i for i in every if support[i]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class never predicted has F1 0, as zero_division says
        macro = f1_score(labels, predicted, labels=occurring, average="macro", zero_division=0)  # type: ignore[arg-type]
        weighted = f1_score(labels, predicted, labels=occurring, average="weighted", zero_division=0)  # type: ignore[arg-type]
    return Metrics(
        acc=float((labels == predicted).mean()),
        bacc=float(recall[occurring].mean()),
        macro_f1=float(macro),
        weighted_f1=float(weighted),
        recall={name: float(recall[i]) for i, name in enumerate(classes)},
        confusion=confusion,
        n=len(labels),
    )

"""How tightly embeddings cluster by class: the numbers beside an embedding map."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.metrics import silhouette_score


class Tightness(NamedTuple):
    """silhouette: -1 to 1, more is tighter; ratio: spread within over distance between classes, less is tighter."""

    silhouette: float
    ratio: float


def tightness(embedding: np.ndarray, labels: np.ndarray) -> Tightness:
    """Mean silhouette (Rousseeuw 1987) and intra/inter-class distance ratio of (n, width) embeddings.

    ratio: mean Euclidean distance of an utterance to the mean of its class, over the mean distance between two
    classes' means. Both are the same for scaled, shifted or rotated embeddings, so losses that differ in scale can
    be compared. labels: (n,). NaN with fewer than two classes, fewer than one utterance more than classes, or
    embeddings that are all one point.
    """
    embedding = np.asarray(embedding, np.float64)
    classes = np.unique(labels)
    if not 2 <= len(classes) < len(labels):
        return Tightness(float("nan"), float("nan"))
    means = np.stack([embedding[labels == name].mean(axis=0) for name in classes])
    within = np.linalg.norm(embedding - means[np.searchsorted(classes, labels)], axis=1).mean()
    apart = np.linalg.norm(means[:, None] - means[None], axis=-1)[np.triu_indices(len(classes), 1)].mean()
    if apart == 0:
        return Tightness(float("nan"), float("nan"))
    return Tightness(float(silhouette_score(embedding, labels)), float(within / apart))

"""How tightly embeddings cluster by class: the numbers beside an embedding map."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Tightness(NamedTuple):
    """How tightly embeddings cluster by class.

    Args:
        silhouette: -1 to 1, higher is tighter.
        ratio: Spread within over distance between classes, lower is tighter.
    """

    silhouette: float
    ratio: float


def tightness(embedding: np.ndarray, labels: np.ndarray) -> Tightness:
    """Mean silhouette (Rousseeuw 1987) and intra/inter-class distance ratio.

    The ratio is the mean Euclidean distance of an utterance to the mean of its class, over the mean distance between
    two classes' means. Both are the same for scaled, shifted or rotated embeddings, so losses that differ in scale
    can be compared.

    Args:
        embedding: (n, width).
        labels: (n,).

    Returns:
        NaN with fewer than two classes, fewer than one utterance more than classes, or embeddings that are all one
        point.

    Examples:
        >>> tightness(np.array([[0.0], [2.0], [10.0], [12.0]]), np.array(["a", "a", "b", "b"])).ratio
        0.1
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
    from sklearn.metrics import silhouette_score  # slow to import, and only pages with embeddings need it

    return Tightness(float(silhouette_score(embedding, labels)), float(within / apart))

"""Contrastive-center loss (Qi and Su 2017; multi-loss paper, eq. 2)."""

from __future__ import annotations

from torch import Tensor

from affuse.losses.base import Reduction
from affuse.losses.centers import CenteredLoss


class ContrastiveCenterLoss(CenteredLoss):
    """1/2 d_{i,y_i} / (sum_{j != y_i} d_ij + theta) with d_ij = ||x_i - c_j||^2; theta = 1 in the paper."""

    def __init__(self, num_classes: int, dim: int, theta: float = 1.0, reduction: Reduction = "mean") -> None:
        super().__init__(num_classes, dim, reduction)
        if theta <= 0:
            raise ValueError(f"theta keeps the ratio finite and must be above 0, not {theta}")
        self.theta = theta

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        distances = self.squared_distances(embedding)
        own = distances.gather(1, labels[:, None]).squeeze(1)
        others = distances.scatter(1, labels[:, None], 0.0).sum(dim=1)
        return 0.5 * own / (others + self.theta)

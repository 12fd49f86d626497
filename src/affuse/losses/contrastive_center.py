"""Contrastive-center loss (Qi and Su 2017; multi-loss paper, eq. 2)."""

from __future__ import annotations

from torch import Tensor

from affuse.losses.base import Reduction
from affuse.losses.centers import CenteredLoss


class ContrastiveCenterLoss(CenteredLoss):
    """1/2 d_{i,y_i} / (sum_{j != y_i} d_ij + theta) with d_ij = ||x_i - c_j||^2; theta = 1 in the paper.

    Args:
        theta: added to every denominator; 1e-6 in the first paper's code.
        ratio_of_sums: True: 1/2 (sum_i d_{i,y_i}) / (sum_i sum_{j != y_i} d_ij + theta), one ratio for the whole
            batch, which "mean" divides by the batch's size, as that code does.
        scale: a factor; that code divides by 0.1.
        trained: False: the centers stay where they were drawn, as in that code.
    """

    def __init__(
        self,
        num_classes: int,
        dim: int,
        reduction: Reduction = "mean",
        *,
        theta: float = 1.0,
        ratio_of_sums: bool = False,
        scale: float = 1.0,
        trained: bool = True,
    ) -> None:
        super().__init__(num_classes, dim, reduction, trained=trained)
        if theta <= 0:
            raise ValueError(f"theta keeps the ratio finite and must be above 0, not {theta}")
        if scale <= 0:
            raise ValueError(f"scale must be above 0, not {scale}")
        self.theta = theta
        self.scale = scale
        self.ratio_of_sums = ratio_of_sums
        if ratio_of_sums:
            self.refuse_none("a ratio of sums (ratio_of_sums: true)")

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        own, others = self._distances(embedding, labels)
        return self.scale * 0.5 * own / (others + self.theta)

    def total(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        if not self.ratio_of_sums:
            return super().total(logits, embedding, labels)
        own, others = self._distances(embedding, labels)
        return self.scale * 0.5 * own.sum() / (others.sum() + self.theta)

    def _distances(self, embedding: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """(n,) squared distance to the own center, and the sum of those to all others."""
        distances = self.squared_distances(embedding)
        own = distances.gather(1, labels[:, None]).squeeze(1)
        return own, distances.scatter(1, labels[:, None], 0.0).sum(dim=1)

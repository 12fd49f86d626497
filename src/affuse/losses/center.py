"""Center loss (Wen et al. 2016; multi-loss paper, eq. 1)."""

from __future__ import annotations

import torch
from torch import Tensor

from affuse.losses.base import Reduction
from affuse.losses.centers import CenteredLoss


class CenterLoss(CenteredLoss):
    """1/2 ||x_i - c_{y_i}||^2.

    Args:
        squared: False: 1/2 ||X - C_y||_F, one norm over the whole batch and not squared, which "mean" divides
            by the batch's size. This is the first paper's code; its gradient has norm 1/2 wherever it is.
        trained: False: the centers stay where they were drawn, as in that code.
    """

    def __init__(
        self,
        num_classes: int,
        dim: int,
        reduction: Reduction = "mean",
        *,
        squared: bool = True,
        trained: bool = True,
    ) -> None:
        super().__init__(num_classes, dim, reduction, trained=trained)
        self.squared = squared
        if not squared:
            self.refuse_none("the norm over a batch (squared: false)")

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        return 0.5 * (embedding - self.centers[labels]).square().sum(dim=-1)

    def total(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        if self.squared:
            return super().total(logits, embedding, labels)
        return 0.5 * torch.linalg.vector_norm(embedding - self.centers[labels])

"""Center loss (Wen et al. 2016; multi-loss paper, eq. 1)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from affuse.layers import pick_rows
from affuse.losses.base import Classes, Reduction, Width
from affuse.losses.centers import CenteredLoss


class CenterLoss(CenteredLoss):
    """Center loss: 1/2 ||x_i - c_{y_i}||^2 (multi-loss paper, eq. 1; Wen et al. 2016).

    Args:
        num_classes: Size of the task's label space, 2 or more.
        dim: Width of the embedding.
        reduction: See ``TaskLoss``.
        squared: False: 1/2 ||X - C_y||_F, one norm over the whole batch and not squared, which "mean" divides
            by the batch's size. This is the first paper's code; its gradient has norm 1/2 wherever it is.
        trained: False: the centers stay where they were drawn, as in that code.

    Examples:
        >>> import torch
        >>> loss = CenterLoss(num_classes=4, dim=2)
        >>> with torch.no_grad():
        ...     _ = loss.centers.zero_()
        >>> embedding = torch.tensor([[3.0, 4.0], [0.0, 1.0]])
        >>> loss(torch.zeros(2, 4), embedding, torch.tensor([0, 3])).item()  # (25 / 2 + 1 / 2) / 2
        6.5
    """

    stacks: ClassVar[bool] = True

    def __init__(
        self,
        num_classes: Classes,
        dim: Width,
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
        """The formula for each utterance, (n, classes), (n, dim), (n,) -> (n,)."""
        return 0.5 * (embedding - pick_rows(self.centers, labels)).square().sum(dim=-1)

    def total(self, logits: Tensor, embedding: Tensor, labels: Tensor, labelled: Tensor) -> Tensor:
        """The sum over the batch, or the form of the first paper's code."""
        if self.squared:
            return super().total(logits, embedding, labels, labelled)
        differences = torch.where(labelled[..., None], embedding - pick_rows(self.centers, labels), 0.0)
        return 0.5 * torch.linalg.vector_norm(differences, dim=(-2, -1))

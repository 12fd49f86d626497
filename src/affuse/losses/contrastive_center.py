"""Contrastive-center loss (Qi and Su 2017; multi-loss paper, eq. 2)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from affuse.losses.base import Classes, Reduction, Width
from affuse.losses.centers import CenteredLoss


class ContrastiveCenterLoss(CenteredLoss):
    """Contrastive-center loss (multi-loss paper, eq. 2; Qi and Su 2017).

    1/2 d_{i,y_i} / (sum_{j != y_i} d_ij + theta) with d_ij = ||x_i - c_j||^2; theta = 1 in the paper.

    Args:
        num_classes: Size of the task's label space, 2 or more.
        dim: Width of the embedding.
        reduction: See ``TaskLoss``.
        theta: Added to every denominator, above 0; 1e-6 in the first paper's code.
        ratio_of_sums: True: 1/2 (sum_i d_{i,y_i}) / (sum_i sum_{j != y_i} d_ij + theta), one ratio for the whole
            batch, which "mean" divides by the batch's size, as that code does.
        scale: A factor, above 0; that code divides by 0.1.
        trained: False: the centers stay where they were drawn, as in that code.

    Examples:
        >>> import torch
        >>> loss = ContrastiveCenterLoss(num_classes=2, dim=2, theta=1.0)
        >>> with torch.no_grad():
        ...     _ = loss.centers.copy_(torch.tensor([[0.0, 0.0], [3.0, 0.0]]))
        >>> loss(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]), torch.tensor([0])).item()  # 1/2 * 1 / (4 + 1)
        0.10000000149011612
    """

    stacks: ClassVar[bool] = True

    def __init__(
        self,
        num_classes: Classes,
        dim: Width,
        reduction: Reduction = "mean",
        *,
        theta: Annotated[float, Field(gt=0)] = 1.0,
        ratio_of_sums: bool = False,
        scale: Annotated[float, Field(gt=0)] = 1.0,
        trained: bool = True,
    ) -> None:
        super().__init__(num_classes, dim, reduction, trained=trained)
        self.theta = theta
        self.scale = scale
        self.ratio_of_sums = ratio_of_sums
        if ratio_of_sums:
            self.refuse_none("a ratio of sums (ratio_of_sums: true)")

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        """The formula for each utterance, (n, classes), (n, dim), (n,) -> (n,)."""
        own, others = self._distances(embedding, labels)
        return self.scale * 0.5 * own / (others + self.theta)

    def total(self, logits: Tensor, embedding: Tensor, labels: Tensor, labelled: Tensor) -> Tensor:
        """The sum over the batch, or the form of the first paper's code."""
        if not self.ratio_of_sums:
            return super().total(logits, embedding, labels, labelled)
        own, others = (
            torch.where(labelled, part, 0.0).sum(-1) for part in self._distances(embedding, labels)
        )
        return self.scale * 0.5 * own / (others + self.theta)

    def _distances(self, embedding: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """(n,) squared distance to the own center, and the sum of those to all others."""
        distances = self.squared_distances(embedding)
        own = distances.gather(-1, labels[..., None]).squeeze(-1)
        return own, distances.scatter(-1, labels[..., None], 0.0).sum(dim=-1)

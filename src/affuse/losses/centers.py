"""One center per class: what center and contrastive-center loss share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from affuse.errors import AffuseError
from affuse.losses.base import Classes, Reduction, TaskLoss, Width


class CenteredLoss(TaskLoss):
    """A loss with a center per class: ``centers`` (classes, dim), a parameter drawn from N(0, 1).

    The trainer gives the centers an optimiser group and a learning rate of their own.

    Args:
        num_classes: Size of the task's label space, 2 or more.
        dim: Width of the embedding.
        reduction: See ``TaskLoss``.
        trained: False leaves the centers where they were drawn: in the first paper's code no optimiser has them.
    """

    def __init__(
        self, num_classes: Classes, dim: Width, reduction: Reduction = "mean", *, trained: bool = True
    ) -> None:
        super().__init__(num_classes, dim, reduction)
        self.centers = nn.Parameter(torch.randn(num_classes, dim), requires_grad=trained)

    def squared_distances(self, embedding: Tensor) -> Tensor:
        """Squared Euclidean distances, (n, dim) -> (n, classes); of a stack (runs, n, dim) -> (runs, n, classes).

        Differences are formed before squaring: |x|^2 - 2xc + |c|^2 would lose the digits that matter once an
        embedding is close to its center.
        """
        return (embedding[..., None, :] - self.centers[..., None, :, :]).square().sum(dim=-1)

    def refuse_none(self, form: str) -> None:
        """AffuseError where a form has no value per utterance."""
        if self.reduction == "none":
            raise AffuseError(
                f"{type(self).__name__}: {form} has no value per utterance; reduction must be 'mean' or 'sum'."
            )

"""One center per class: what center and contrastive-center loss share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from affuse.losses.base import Reduction, TaskLoss


class CenteredLoss(TaskLoss):
    """``centers``: (classes, dim), a parameter drawn from N(0, 1).

    The trainer gives the centers an optimiser group and a learning rate of their own. ``trained=False`` leaves
    them where they were drawn: in the first paper's code they are given to no optimiser.
    """

    def __init__(
        self, num_classes: int, dim: int, reduction: Reduction = "mean", *, trained: bool = True
    ) -> None:
        super().__init__(num_classes, dim, reduction)
        self.centers = nn.Parameter(torch.randn(num_classes, dim), requires_grad=trained)

    def squared_distances(self, embedding: Tensor) -> Tensor:
        """(n, dim) -> (n, classes) of squared Euclidean distances.

        Differences are formed before squaring: |x|^2 - 2xc + |c|^2 would lose the digits that matter once an
        embedding is close to its center.
        """
        return (embedding[:, None, :] - self.centers[None, :, :]).square().sum(dim=-1)

    def refuse_none(self, form: str) -> None:
        """ValueError where a form has no value per utterance."""
        if self.reduction == "none":
            raise ValueError(f"{form} has no value per utterance; reduction is mean or sum")

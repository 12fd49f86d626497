"""Weighted sums of losses (multi-loss paper, eqs. 4 and 5)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from affuse.errors import AffuseError
from affuse.losses.base import TaskLoss
from affuse.losses.centers import CenteredLoss


class WeightedSum(nn.Module):
    """A task's loss of several terms: sum_k weight_k * loss_k; eqs. 4 and 5 have both weights 1.

    Args:
        terms: (loss, weight) pairs, one at least.

    Raises:
        AffuseError: There is no term.

    Examples:
        >>> from affuse.losses import CenterLoss, CrossEntropyLoss
        >>> joint = WeightedSum([(CrossEntropyLoss(4, 256), 1.0), (CenterLoss(4, 256), 1.0)])  # eq. 4
        >>> joint.reads_logits
        True
    """

    def __init__(self, terms: Sequence[tuple[TaskLoss, float]]) -> None:
        super().__init__()
        if not terms:
            raise AffuseError("A weighted sum needs at least one loss, and none was given.")
        self.terms = nn.ModuleList(loss for loss, _ in terms)
        self.weights = [float(weight) for _, weight in terms]

    @property
    def reads_logits(self) -> bool:
        """False: no term trains the classifier, so utterances are classified by nearest center."""
        return any(
            term.reads_logits for term, weight in zip(self.terms, self.weights, strict=True) if weight > 0
        )

    @property
    def centered(self) -> CenteredLoss | None:
        """The first term that has centers, if any."""
        return next((term for term in self.terms if isinstance(term, CenteredLoss)), None)

    def forward(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        """The sum over the terms; shapes as in ``TaskLoss``, scalar out."""
        values = [
            w * term(logits, embedding, labels) for w, term in zip(self.weights, self.terms, strict=True)
        ]
        return torch.stack(values).sum()

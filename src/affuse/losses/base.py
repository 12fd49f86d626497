"""What every loss of one task is: a value per utterance, reduced over the labelled part of a batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

from torch import Tensor, nn

Reduction = Literal["mean", "sum", "none"]


class TaskLoss(nn.Module, ABC):
    """``loss(logits, embedding, labels)``; a label below 0 is blank and left out.

    Every loss takes (num_classes, dim, reduction) in this order, and options of its own by name alone.

    Args:
        num_classes: size of the task's label space.
        dim: width of the embedding.
        reduction: over the labelled utterances of the batch. The papers' eqs. 1 and 2 print a sum and eq. 3
            a mean. Summed, a center term would weigh n times eq. 3's mean, n being the batch size, and the
            balance of eqs. 4 and 5 would change with it. "mean" (the default) keeps the balance of the
            equations at n = 1, which is the batch size the paper's authors trained with.
    """

    reads_logits: bool = False  # True: the loss trains the classifier that gives the logits

    def __init__(self, num_classes: int, dim: int, reduction: Reduction = "mean") -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"a task needs at least 2 classes, not {num_classes}")
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(
                f"reduction is mean, sum or none, not {reduction!r}; a loss's own options are given by name"
            )
        self.num_classes = num_classes
        self.dim = dim
        self.reduction = reduction

    @abstractmethod
    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        """(n, classes), (n, dim), (n,) all labelled -> (n,)."""

    def forward(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        """Scalar, or (labelled,) with reduction "none"; a batch without labels gives 0 (mean, sum) with a graph.

        Shapes: logits (n, classes), embedding (n, dim), labels (n,) int64.
        """
        labelled = labels >= 0
        part = logits[labelled], embedding[labelled], labels[labelled]
        if self.reduction == "none":
            return self.per_utterance(*part)
        total = self.total(*part)
        return total / max(1, len(part[2])) if self.reduction == "mean" else total

    def total(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        """What "sum" gives: the same shapes -> scalar. A form that is no sum over utterances replaces it."""
        return self.per_utterance(logits, embedding, labels).sum()

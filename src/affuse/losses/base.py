"""What every loss of one task is: a value per utterance, reduced over the labelled part of a batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from affuse.parts.options import Checked

Reduction = Literal["mean", "sum", "none"]
Kind = Literal["classes", "regression", "multilabel", "distribution"]
Classes = Annotated[int, Field(ge=2)]
Width = Annotated[int, Field(ge=1)]


def known(labels: Tensor, dims: int | None = None) -> Tensor:
    """Which labels are there: class indices from 0, and numbers that are not NaN.

    Args:
        labels: int64 class indices, below 0 where blank; floating ratings, NaN where blank; or floating rows, such as
            0 or 1 for each of several labels, of NaN alone where blank.
        dims: How many dimensions count utterances: 1 of a batch, 2 of the batches of several runs. What is behind them
            is a row of one utterance. None: all of them.

    Returns:
        (...) bool of these dimensions.

    Examples:
        >>> known(torch.tensor([0, -1])).tolist(), known(torch.tensor([-0.5, float("nan")])).tolist()
        ([True, False], [True, False])
        >>> known(torch.tensor([[0.0, 1.0], [float("nan")] * 2]), dims=1).tolist()
        [True, False]
    """
    there = ~labels.isnan() if labels.is_floating_point() else labels >= 0
    return there if dims in (None, labels.dim()) else there.all(dim=-1)


def blanked(labels: Tensor, there: Tensor) -> Tensor:
    """Labels of which some are blank; see ``known``.

    Args:
        labels: See ``known``.
        there: (...) bool, False where the label, or the row, is to be blank.

    Examples:
        >>> blanked(torch.tensor([0, 1]), torch.tensor([True, False])).tolist()
        [0, -1]
    """
    there = there if labels.dim() == there.dim() else there[..., None]
    return torch.where(there, labels, torch.nan if labels.is_floating_point() else -1)


class TaskLoss(Checked, nn.Module, ABC):
    """A loss of one task, called as ``loss(logits, embedding, labels)``; a label below 0 is blank and left out.

    Every loss takes ``num_classes``, ``dim`` and ``reduction`` in this order, and options of its own by name alone.
    A loss of your own derives from this class and writes ``per_utterance``; its options are keyword-only parameters
    with annotations and defaults.

    Args:
        num_classes: Size of the task's label space, 2 or more.
        dim: Width of the embedding.
        reduction: Over the labelled utterances of the batch: "mean", "sum", or "none" for a value each. The papers'
            eqs. 1 and 2 print a sum and eq. 3 a mean. Summed, a center term would weigh n times eq. 3's mean, n being
            the batch size, and the balance of eqs. 4 and 5 would change with it. "mean" keeps the balance of the
            equations at n = 1, which is the batch size the paper's authors trained with.

    Raises:
        AffuseError: An argument that is missing, unknown, of the wrong kind or out of its range.

    Attributes:
        fits: The kind of task that it trains: "classes" (labels are class indices), "regression" (labels are ratings
            in units of half their range, see ``DimensionLoss``), "multilabel" (labels are rows of 0 and 1) or
            "distribution" (labels are rows of votes' shares).
        reads_logits: True where the loss trains the classifier that gives the logits.
        stacks: True where ``total`` takes any number of dimensions in front of n, and parameters with the same ones:
            the loss of several runs at once. ``training.stacked`` maps a loss without it over the runs (torch.vmap).

    Examples:
        >>> import torch
        >>> class BrierLoss(TaskLoss):
        ...     reads_logits = True
        ...
        ...     def per_utterance(self, logits, embedding, labels):
        ...         wanted = torch.nn.functional.one_hot(labels, self.num_classes)
        ...         return (logits.softmax(-1) - wanted).square().sum(-1)
        >>> BrierLoss(2, 8)(torch.zeros(3, 2), torch.zeros(3, 8), torch.tensor([0, 1, -1])).item()
        0.5
    """

    fits: ClassVar[Kind] = "classes"
    reads_logits: ClassVar[bool] = False
    stacks: ClassVar[bool] = False

    def __init__(self, num_classes: Classes, dim: Width, reduction: Reduction = "mean") -> None:
        super().__init__()
        self.num_classes = num_classes
        self.dim = dim
        self.reduction: Reduction = reduction

    @abstractmethod
    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        """The loss of each utterance.

        Args:
            logits: (n, classes).
            embedding: (n, dim).
            labels: (n,) int64, from 0. An utterance without a label may come as one of class 0; its value is not used.
                Ratings are (n,) floating, rows (n, classes) floating.

        Returns:
            (n,).
        """

    def forward(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch; one without labels gives 0 (mean, sum) with a graph.

        Args:
            logits: (n, classes).
            embedding: (n, dim).
            labels: (n,) int64, below 0 where blank; ratings (n,) and rows (n, classes) are floating, NaN where blank.

        Returns:
            A scalar, or (labelled,) with reduction "none".
        """
        labelled = known(labels, logits.dim() - 1)
        if self.reduction == "none":
            return self.per_utterance(logits[labelled], embedding[labelled], labels[labelled])
        return self.reduced(logits, embedding, labels)

    def reduced(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        """``forward`` for "mean" and "sum", where ``stacks`` is true also of runs: (runs, n, ...) -> (runs,)."""
        labelled = known(labels, logits.dim() - 1)
        there = labelled if labels.dim() == labelled.dim() else labelled[..., None]
        total = self.total(logits, embedding, torch.where(there, labels, 0), labelled)
        return total / labelled.sum(-1).clamp_min(1) if self.reduction == "mean" else total

    def total(self, logits: Tensor, embedding: Tensor, labels: Tensor, labelled: Tensor) -> Tensor:
        """What "sum" gives. A form that is no sum over utterances replaces it.

        Args:
            logits: (n, classes).
            embedding: (n, dim).
            labels: (n,) int64, from 0; 0 where there is none.
            labelled: (n,) bool; the others count for nothing.

        Returns:
            A scalar.
        """
        return torch.where(labelled, self.per_utterance(logits, embedding, labels), 0.0).sum(-1)

"""What the losses of a rating (valence, arousal, ...) share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor

from affuse.losses.base import Kind, Reduction, TaskLoss, Width

One = Annotated[int, Field(ge=1, le=1)]


class DimensionLoss(TaskLoss):
    """A loss of a task of kind regression: ``loss(outputs, embedding, ratings)`` with a NaN for each missing rating.

    Outputs and ratings are in units of half the task's range, from its middle: -1 is its lower, 1 its upper end. So a
    loss has the same size for a scale from 1 to 5 and for one from 0 to 100. Outputs are not bounded.

    Args:
        num_classes: 1: the head has one output.
        dim: Width of the embedding, which these losses do not read.
        reduction: See ``TaskLoss``.
    """

    fits: ClassVar[Kind] = "regression"
    reads_logits: ClassVar[bool] = True

    def __init__(self, num_classes: One, dim: Width, reduction: Reduction = "mean") -> None:
        super().__init__(2, dim, reduction)  # the least that a loss of classes takes
        self.num_classes = num_classes

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        """The formula for each utterance, (n, 1), (n, dim), (n,) -> (n,)."""
        return self.of_ratings(logits.squeeze(-1), labels)

    @abstractmethod
    def of_ratings(self, outputs: Tensor, ratings: Tensor) -> Tensor:
        """The loss of each utterance, (n,), (n,) -> (n,)."""

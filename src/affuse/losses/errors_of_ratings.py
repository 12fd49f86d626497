"""Losses of the error of a rating: squared, absolute, and Huber's between the two."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor

from affuse.losses.base import Reduction, Width
from affuse.losses.dimension import DimensionLoss, One


class SquaredErrorLoss(DimensionLoss):
    """Squared error (x - y)^2, in squared units of half the range.

    Args:
        num_classes: 1.
        dim: Width of the embedding, which this loss does not read.
        reduction: See ``TaskLoss``.

    Examples:
        >>> import torch
        >>> loss = SquaredErrorLoss(num_classes=1, dim=8)
        >>> loss(torch.zeros(3, 1), torch.zeros(3, 8), torch.tensor([0.5, -0.5, float("nan")])).item()
        0.25
    """

    stacks: ClassVar[bool] = True

    def of_ratings(self, outputs: Tensor, ratings: Tensor) -> Tensor:
        """The formula, (n,), (n,) -> (n,)."""
        return (outputs - ratings).square()


class AbsoluteErrorLoss(DimensionLoss):
    """Absolute error |x - y|, in units of half the range.

    Args:
        num_classes: 1.
        dim: Width of the embedding, which this loss does not read.
        reduction: See ``TaskLoss``.

    Examples:
        >>> import torch
        >>> loss = AbsoluteErrorLoss(num_classes=1, dim=8)
        >>> loss(torch.zeros(3, 1), torch.zeros(3, 8), torch.tensor([0.5, -0.5, float("nan")])).item()
        0.5
    """

    stacks: ClassVar[bool] = True

    def of_ratings(self, outputs: Tensor, ratings: Tensor) -> Tensor:
        """The formula, (n,), (n,) -> (n,)."""
        return (outputs - ratings).abs()


class HuberLoss(DimensionLoss):
    """Huber's loss (Huber 1964): e^2 / 2 for |e| <= delta, else delta (|e| - delta / 2), with e = x - y.

    Args:
        num_classes: 1.
        dim: Width of the embedding, which this loss does not read.
        reduction: See ``TaskLoss``.
        delta: Where the square becomes a line, above 0, in units of half the range.

    Examples:
        >>> import torch
        >>> loss = HuberLoss(num_classes=1, dim=8, delta=0.5)
        >>> loss(torch.zeros(2, 1), torch.zeros(2, 8), torch.tensor([0.5, 1.0])).item()  # (0.125 + 0.375) / 2
        0.25
    """

    stacks: ClassVar[bool] = True

    def __init__(
        self,
        num_classes: One,
        dim: Width,
        reduction: Reduction = "mean",
        *,
        delta: Annotated[float, Field(gt=0)] = 0.5,
    ) -> None:
        super().__init__(num_classes, dim, reduction)
        self.delta = delta

    def of_ratings(self, outputs: Tensor, ratings: Tensor) -> Tensor:
        """The formula, (n,), (n,) -> (n,)."""
        error = (outputs - ratings).abs()
        within = error.clamp_max(self.delta)
        return within * (error - within / 2)

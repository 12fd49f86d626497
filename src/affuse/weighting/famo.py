"""FAMO: all tasks' logarithmic losses fall at one rate, at the price of a second forward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from affuse.errors import AffuseError
from affuse.weighting.base import SMALLEST, Weighting

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Adam's


class FamoWeighting(Weighting):
    """FAMO: weight moves to the task whose loss fell slowest (Liu et al. 2023).

    c sum_i z_i log L_i with z = softmax(xi) and c = 1 / sum_i (z_i / L_i), a constant.

    Liu et al. 2023, "FAMO: fast adaptive multitask optimization" (NeurIPS), algorithm 1. After the
    optimiser's step the losses of the same batch are computed again and xi descends delta = J^T (log
    L_before - log L_after) + decay xi, J the Jacobian of the softmax: weight moves to the task whose loss
    fell slowest. As in the authors' code the step on xi is Adam's; it is done here, not by the trainer, so
    xi is a buffer. The losses must not be negative.

    The effective weights are c z_i / L_i; they sum to 1.

    Args:
        tasks: The names of the tasks.
        learning_rate: Of the step on xi, above 0 (the paper: 0.025).
        decay: The paper's gamma, pulling the weights towards equality; at least 0.

    Raises:
        AffuseError: ``after_step`` is called without losses from before the step.

    Examples:
        >>> import torch
        >>> weighting = FamoWeighting(["emotion", "gender"])
        >>> losses = {"emotion": torch.tensor(1.2), "gender": torch.tensor(0.4)}
        >>> round(weighting(losses).item(), 4)
        -0.2202
    """

    needs_losses_after_step: ClassVar[bool] = True
    xi: Tensor
    mean: Tensor
    square: Tensor
    steps: Tensor
    last: Tensor

    def __init__(
        self,
        tasks: Sequence[str],
        learning_rate: Annotated[float, Field(gt=0)] = 0.025,
        decay: Annotated[float, Field(ge=0)] = 1e-3,
    ) -> None:
        super().__init__(tasks)
        self.learning_rate = learning_rate
        self.decay = decay
        for name in ("xi", "mean", "square"):
            self.register_buffer(name, torch.zeros(len(self.tasks)))
        self.register_buffer("steps", torch.zeros(()))
        self.register_buffer("last", torch.full((len(self.tasks),), 1 / len(self.tasks)))
        self._before: tuple[Tensor, list[int]] | None = None  # lives from forward to after_step only

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The joint loss of a batch, task -> scalar loss to one scalar; see the class for its formula."""
        values, rows = self.gather(losses)
        values = values + SMALLEST  # as the authors' code has it
        shares = self.select(self.xi, rows).softmax(0) / values.detach()
        weights = shares / shares.sum()
        if self.training:
            self.last[rows] = weights.to(self.last.dtype)
            self._before = values.detach(), rows
        return (weights * values.detach() * values.log()).sum()

    def weight_vector(self) -> Tensor:
        """The weights now, (tasks,)."""
        return self.last

    @torch.no_grad()
    def after_step(self, losses: Mapping[str, Tensor]) -> None:
        """Step xi by how far each loss fell; ``losses`` of the same batch, after the optimiser's step."""
        if self._before is None:
            raise AffuseError(
                "FAMO.after_step needs the losses from before the optimiser's step: call forward first."
            )
        (before, rows), self._before = self._before, None
        after, present = self.gather(losses)
        if present != rows:
            raise AffuseError("FAMO.after_step must be given the losses of the batch that forward was given.")
        delta = (before.log() - (after + SMALLEST).log()).to(self.xi.dtype)
        z = self.select(self.xi, rows).softmax(0)
        grad = self.decay * self.xi
        grad[rows] += z * (delta - (z * delta).sum())
        self.steps += 1
        self.mean.lerp_(grad, 1 - BETA1)
        self.square.lerp_(grad.square(), 1 - BETA2)
        rms = (self.square / (1 - BETA2**self.steps)).sqrt()
        self.xi -= self.learning_rate * (self.mean / (1 - BETA1**self.steps)) / (rms + EPSILON)

"""GradNorm: weights learnt so that all tasks train at the same rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from affuse.errors import AffuseError
from affuse.weighting.base import Weighting


class GradNormWeighting(Weighting):
    """GradNorm: weights learnt so that all tasks train at the same rate (Chen et al. 2018).

    sum_i w_i L_i; the weights descend sum_i |G_i - mean(G) r_i^alpha| on their own.

    Chen et al. 2018, "GradNorm: gradient normalization for adaptive loss balancing in deep multitask
    networks", eqs. 1 and 2. G_i = |w_i grad L_i| over the last shared layer W, r_i = (L_i / L_i(0)) over
    its mean across tasks, and the target mean(G) r_i^alpha is a constant. A task that has fallen less (r_i
    above 1) is given a larger gradient. Here w = T softmax(logits), which keeps the sum at T where the
    paper rescales after each step; the trainer's optimiser steps ``logits``.

    Args:
        tasks: The names of the tasks.
        alpha: How hard lagging tasks are pulled back, at least 0 (the paper: 1.5; 0 makes all gradients equally long).
        over: Whose gradient is measured. "last": the last tensor of ``shared`` with two or more dimensions, the
            paper's W; "all": every shared parameter (a full backward pass per task); "features": the embedding
            itself.

    Raises:
        AffuseError: In ``backward``, the model has no trainable tensor of the kind that ``over`` names.

    Examples:
        >>> import torch
        >>> weighting = GradNormWeighting(["emotion", "gender"])
        >>> losses = {"emotion": torch.tensor(1.2), "gender": torch.tensor(0.4)}
        >>> round(weighting(losses).item(), 4)
        1.6
    """

    gradient_based: ClassVar[bool] = True
    initial: Tensor

    def __init__(
        self,
        tasks: Sequence[str],
        alpha: Annotated[float, Field(ge=0)] = 1.5,
        over: Literal["last", "all", "features"] = "last",
    ) -> None:
        super().__init__(tasks)
        self.alpha = alpha
        self.over = over
        self.logits = nn.Parameter(torch.zeros(len(self.tasks)))
        self.register_buffer("initial", torch.full((len(self.tasks),), torch.nan))  # L_i(0), NaN until seen

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The joint loss of a batch, task -> scalar loss to one scalar; see the class for its formula."""
        values, rows = self.gather(losses)
        return (self._weights(rows).detach() * values).sum()

    def weight_vector(self) -> Tensor:
        """The weights now, (tasks,)."""
        return self._weights(list(range(len(self.tasks))))

    def backward(
        self,
        losses: Mapping[str, Tensor],
        shared: Sequence[nn.Parameter],
        features: Sequence[Tensor] = (),
        backward: Callable[[Tensor], object] = torch.Tensor.backward,
    ) -> Tensor:
        """As ``Weighting.backward``, by each task's gradient."""
        values, rows = self.gather(losses)
        inputs = self._measured(shared, features)
        norms = torch.stack([_gradient_norm(value, inputs) for value in values])
        with torch.no_grad():
            first = self.select(self.initial, rows)
            first = torch.where(first.isnan(), values.to(first.dtype), first)
            self.initial[rows] = first
            rate = values / first.clamp_min(1e-12)
            rate = rate / rate.mean().clamp_min(1e-12)
        weights = self._weights(rows)
        lengths = weights * norms
        target = (lengths.mean() * rate**self.alpha).detach()
        joint = (weights.detach() * values).sum()
        # The two parts share no parameter, so one backward pass gives both gradients, under one loss scale.
        backward(joint + (lengths - target).abs().sum())
        return joint.detach()

    def _weights(self, rows: list[int]) -> Tensor:
        return len(rows) * self.select(self.logits, rows).softmax(0)

    def _measured(self, shared: Sequence[nn.Parameter], features: Sequence[Tensor]) -> list[Tensor]:
        candidates: list[Tensor] = list(features) if self.over == "features" else list(shared)
        found = [tensor for tensor in candidates if tensor.requires_grad]
        if self.over == "last":
            found = [tensor for tensor in found if tensor.ndim > 1][-1:]
        if not found:
            raise AffuseError(
                f"GradNorm over {self.over!r} found no trainable tensor that the tasks share; "
                "train a layer before the heads or use a weighting that needs no gradients."
            )
        return found


def _gradient_norm(loss: Tensor, inputs: list[Tensor]) -> Tensor:
    grads: tuple[Tensor | None, ...] = torch.autograd.grad(loss, inputs, retain_graph=True, allow_unused=True)
    norms = [loss.new_zeros(()) if g is None else g.norm().to(loss.dtype) for g in grads]  # pyright: ignore
    return torch.stack(norms).norm()

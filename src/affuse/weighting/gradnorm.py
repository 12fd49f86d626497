"""GradNorm: weights learnt so that all tasks train at the same rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from affuse.errors import AffuseError
from affuse.weighting.base import Weighting


class GradNormWeighting(Weighting):
    """sum_i w_i L_i; the weights descend sum_i |G_i - mean(G) r_i^alpha| on their own.

    Chen et al. 2018, "GradNorm: gradient normalization for adaptive loss balancing in deep multitask
    networks", eqs. 1 and 2. G_i = |w_i grad L_i| over the last shared layer W, r_i = (L_i / L_i(0)) over
    its mean across tasks, and the target mean(G) r_i^alpha is a constant. A task that has fallen less (r_i
    above 1) is given a larger gradient. Here w = T softmax(logits), which keeps the sum at T where the
    paper rescales after each step; the trainer's optimiser steps ``logits``.

    Parameters
    ----------
    alpha: how hard lagging tasks are pulled back (the paper: 1.5; 0 makes all gradients equally long).
    over:  whose gradient is measured. "last": the last tensor of ``shared`` with two or more dimensions, the
           paper's W; "all": every shared parameter (a full backward pass per task); "features": the
           embedding itself.

    Raises AffuseError for an unknown ``over``, and in ``backward`` where the model has nothing of the kind.
    """

    gradient_based: ClassVar[bool] = True
    initial: Tensor

    def __init__(
        self, tasks: Sequence[str], alpha: float = 1.5, over: Literal["last", "all", "features"] = "last"
    ) -> None:
        super().__init__(tasks)
        if over not in ("last", "all", "features"):
            raise AffuseError(f"GradNorm measures gradients over 'last', 'all' or 'features'; got {over!r}.")
        self.alpha = alpha
        self.over = over
        self.logits = nn.Parameter(torch.zeros(len(self.tasks)))
        self.register_buffer("initial", torch.full((len(self.tasks),), torch.nan))  # L_i(0), NaN until seen

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        values, rows = self.gather(losses)
        return (self._weights(rows).detach() * values).sum()

    def weight_vector(self) -> Tensor:
        return self._weights(list(range(len(self.tasks))))

    def backward(
        self,
        losses: Mapping[str, Tensor],
        shared: Sequence[nn.Parameter],
        features: Sequence[Tensor] = (),
        backward: Callable[[Tensor], object] = torch.Tensor.backward,
    ) -> Tensor:
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
    grads = torch.autograd.grad(loss, inputs, retain_graph=True, allow_unused=True)
    return torch.stack([loss.new_zeros(()) if g is None else g.norm().to(loss.dtype) for g in grads]).norm()

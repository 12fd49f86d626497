"""Random loss weighting: the litmus test for every cleverer method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from affuse.weighting.base import Weighting
from affuse.weighting.randomness import RandomStream


class RlwWeighting(Weighting):
    """sum_i w_i L_i with w = softmax of standard normal draws, drawn again at every step.

    Lin et al. 2022, "Reasonable effectiveness of random weighting: a litmus test for multi-task learning"
    (TMLR). In evaluation mode the weights are their mean, 1/T, and nothing is drawn. One number per task is
    drawn whether the task is present or not, so several processes with one seed stay in step.
    """

    last: Tensor

    def __init__(self, tasks: Sequence[str], seed: int = 0) -> None:
        super().__init__(tasks)
        self.random = RandomStream(seed)
        self.register_buffer("last", torch.full((len(self.tasks),), 1 / len(self.tasks)))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        values, rows = self.gather(losses)
        if not self.training:
            return values.mean()
        with self.random.drawing() as generator:
            draws = torch.randn(len(self.tasks), generator=generator)
        weights = self.select(draws, rows).softmax(0).to(values.device, non_blocking=True)
        self.last[rows] = weights.to(self.last.dtype)
        return (weights * values).sum()

    def weight_vector(self) -> Tensor:
        return self.last

"""Random loss weighting with flat Dirichlet draws, one of the distributions of Lin et al. 2022 (RLW)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from affuse.weighting import RandomStream, Weighting


class DirichletWeighting(Weighting):
    """sum_i w_i L_i, w drawn at every step, every point of the simplex as likely as any other.

    Args:
        tasks: The names of the tasks.
        seed: Of the draws.
    """

    last: Tensor

    def __init__(self, tasks: Sequence[str], seed: int = 0) -> None:
        super().__init__(tasks)
        self.random = RandomStream(seed)  # a resumed run goes on with the same draws
        self.register_buffer("last", torch.full((len(self.tasks),), 1 / len(self.tasks)))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        values, rows = self.gather(losses)  # of the tasks that this batch has labels for
        if not self.training:
            return values.mean()
        with self.random.drawing() as generator:
            draws = torch.empty(len(self.tasks)).exponential_(generator=generator)
        weights = self.select(draws, rows)
        weights = (weights / weights.sum()).to(values)
        self.last[rows] = weights.to(self.last.dtype)
        return (weights * values).sum()

    def weight_vector(self) -> Tensor:
        return self.last

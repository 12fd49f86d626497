"""Random loss weighting: the litmus test for every cleverer method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from affuse.weighting.base import Weighting
from affuse.weighting.randomness import RandomStream


class RlwWeighting(Weighting):
    """Random loss weighting: what every cleverer method has to beat (Lin et al. 2022).

    sum_i w_i L_i with w = softmax of standard normal draws, drawn again at every step.

    Lin et al. 2022, "Reasonable effectiveness of random weighting: a litmus test for multi-task learning"
    (TMLR). In evaluation mode the weights are their mean, 1/T, and nothing is drawn. One number per task is
    drawn whether the task is present or not, so several processes with one seed stay in step.

    Args:
        tasks: The names of the tasks.
        seed: Of the draws.

    Examples:
        >>> import torch
        >>> weighting = RlwWeighting(["emotion", "gender"], seed=0).eval()
        >>> losses = {"emotion": torch.tensor(1.2), "gender": torch.tensor(0.4)}
        >>> round(weighting(losses).item(), 4)
        0.8
    """

    last: Tensor

    def __init__(self, tasks: Sequence[str], seed: int = 0) -> None:
        super().__init__(tasks)
        self.random = RandomStream(seed)
        self.register_buffer("last", torch.full((len(self.tasks),), 1 / len(self.tasks)))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The joint loss of a batch, task -> scalar loss to one scalar; see the class for its formula."""
        values, rows = self.gather(losses)
        if not self.training:
            return values.mean()
        with self.random.drawing() as generator:
            draws = torch.randn(len(self.tasks), generator=generator)
        weights = self.select(draws, rows).softmax(0).to(values.device, non_blocking=True)
        self.last[rows] = weights.to(self.last.dtype)
        return (weights * values).sum()

    def weight_vector(self) -> Tensor:
        """The weights now, (tasks,)."""
        return self.last

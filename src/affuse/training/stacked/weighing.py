"""From the task losses of every run of a stack to a joint loss each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from affuse.weighting import StaticWeighting, Weighting


class Weighing:
    """Every run's weighting: fixed weights for all runs at once, any other run by run.

    Args:
        weightings: One per run, of the same tasks.
        tasks: Their names.
        device: Where the losses are.
    """

    def __init__(self, weightings: Sequence[Weighting], tasks: Sequence[str], device: str) -> None:
        self.weightings, self.tasks = list(weightings), list(tasks)
        fixed = [one.fixed for one in self.weightings if type(one) is StaticWeighting]
        self.fixed = torch.stack(fixed).to(device) if len(fixed) == len(self.weightings) else None

    def train(self, training: bool) -> None:
        """As ``torch.nn.Module.train``."""
        for one in self.weightings:
            one.train(training)

    def __call__(self, losses: Mapping[str, Tensor], counts: Mapping[str, Tensor]) -> Tensor:
        """The joint losses, (runs,).

        Args:
            losses: Task -> (runs,).
            counts: Task -> (runs,) labels in each run's batch; a task without any is absent, and its loss 0.
        """
        if self.fixed is not None:
            return (self.fixed * torch.stack([losses[task] for task in self.tasks], dim=1)).sum(1)
        joint: list[Tensor] = []
        for run, weighting in enumerate(self.weightings):
            there = {task: losses[task][run] for task in self.tasks if int(counts[task][run])}
            joint.append(weighting(there) if there else losses[self.tasks[0]][run])
        return torch.stack(joint)

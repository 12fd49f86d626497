"""The losses of an epoch of every run of a stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from affuse.training.stacked.member import Member


class Trained(NamedTuple):
    """What an epoch of training came to, per run.

    Attributes:
        joint: Joint losses, summed over the utterances that have a label.
        sums: Task -> losses, summed over the utterances that have its label.
        labelled: How many utterances have a label.
        counts: Task -> how many have its label.
        not_finite: The runs whose loss left the numbers, with the first such loss and the places of its batch.
    """

    joint: list[float]
    sums: dict[str, list[float]]
    labelled: list[int]
    counts: dict[str, list[int]]
    not_finite: list[tuple[Member, float, list[int]]]


class Sums:
    """Losses of an epoch, added up where they are, so that a GPU is not waited for in every step."""

    def __init__(self, tasks: Sequence[str], runs: int, device: str) -> None:
        self.joint = torch.zeros(runs, dtype=torch.float64, device=device)
        self.by_task = {task: torch.zeros_like(self.joint) for task in tasks}
        self.bad_step = torch.full((runs,), -1, device=device)
        self.bad_value = torch.zeros_like(self.joint)

    def add(
        self,
        step: int,
        joint: Tensor,
        losses: Mapping[str, Tensor],
        labelled: Tensor,
        counts: Mapping[str, Tensor],
    ) -> None:
        """Add a step; all but ``step`` are (runs,), the counts of utterances among them."""
        joint = joint.detach()
        bad = ~joint.isfinite() & (self.bad_step < 0)
        self.bad_step = torch.where(bad, step, self.bad_step)
        self.bad_value = torch.where(bad, joint.double(), self.bad_value)
        self.joint += joint * labelled
        for task, loss in losses.items():
            self.by_task[task] += loss.detach() * counts[task]

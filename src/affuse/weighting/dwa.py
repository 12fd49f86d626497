"""Dynamic weight average: the task that descends slowest gets the most weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from affuse.errors import AffuseError
from affuse.weighting.base import SMALLEST, Weighting


class DwaWeighting(Weighting):
    """Dynamic weight average: the task that descends slowest gets the most weight.

    sum_i w_i L_i with w = T softmax(r / temperature), r_i = L_i(t-1) / L_i(t-2) over the last two epochs.

    Liu, Johns and Davison 2019, "End-to-end multi-task learning with attention", eq. 7. The weights sum to
    the number of tasks and are 1 each for the first two epochs. An epoch without a label for a task leaves
    that task's history as it was.

    Args:
        tasks: The names of the tasks.
        temperature: Of the softmax, above 0.

    Examples:
        >>> import torch
        >>> weighting = DwaWeighting(["emotion", "gender"])
        >>> losses = {"emotion": torch.tensor(1.2), "gender": torch.tensor(0.4)}
        >>> round(weighting(losses).item(), 4)
        1.6
    """

    history: Tensor

    def __init__(self, tasks: Sequence[str], temperature: Annotated[float, Field(gt=0)] = 2.0) -> None:
        super().__init__(tasks)
        self.temperature = temperature
        # rows: the epoch before last, the last epoch; NaN until known
        self.register_buffer("history", torch.full((2, len(self.tasks)), torch.nan))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The joint loss of a batch, task -> scalar loss to one scalar; see the class for its formula."""
        values, rows = self.gather(losses)
        return (self._weights(rows) * values).sum()

    def weight_vector(self) -> Tensor:
        """The weights now, (tasks,)."""
        return self._weights(list(range(len(self.tasks))))

    def end_epoch(self, losses: Mapping[str, float]) -> None:
        """Remember the epoch's losses: the rates of descent need the last two."""
        for task, loss in losses.items():
            if task not in self.index:
                known = ", ".join(self.tasks)
                raise AffuseError(f"The weighting was given a loss for {task!r}, but its tasks are {known}.")
            column = self.history[:, self.index[task]]
            column[0] = column[1].clone()
            column[1] = float(loss)

    def _weights(self, rows: list[int]) -> Tensor:
        before, last = self.history
        known = ~(before.isnan() | last.isnan()) & (
            before >= SMALLEST
        )  # a solved task has no rate of descent
        rate = torch.where(known, last / before, torch.ones_like(last))
        return len(rows) * (self.select(rate, rows) / self.temperature).softmax(0)

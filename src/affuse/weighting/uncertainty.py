"""Homoscedastic uncertainty: a learnt log-variance per task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from affuse.weighting.base import Weighting, above_zero


class UncertaintyWeighting(Weighting):
    """Homoscedastic uncertainty: a learnt log-variance per task (Kendall et al. 2018).

    sum_i L_i / (2 e^s_i) + s_i / 2 with s_i = log sigma_i^2 learnt.

    Kendall, Gal and Cipolla 2018, "Multi-task learning using uncertainty to weigh losses", eq. 7 in the
    form that public code uses for every kind of task. (For classification their eq. 10 is L / e^s + s / 2:
    the same after L -> 2 L.) The optimum of s_i is e^s_i = L_i, a weight of 1 / (2 L_i), where the joint
    loss is sum_i (1 + log L_i) / 2: below zero once the losses are small, which is normal. A loss that is 0 counts as
    1e-8: its weight would grow without bound.

    Args:
        tasks: The names of the tasks.
        initial: Where every s_i starts.

    Examples:
        >>> import torch
        >>> weighting = UncertaintyWeighting(["emotion", "gender"])
        >>> losses = {"emotion": torch.tensor(1.2), "gender": torch.tensor(0.4)}
        >>> round(weighting(losses).item(), 4)
        0.8
    """

    def __init__(self, tasks: Sequence[str], initial: float = 0.0) -> None:
        super().__init__(tasks)
        self.log_variances = nn.Parameter(torch.full((len(self.tasks),), float(initial)))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The joint loss of a batch, task -> scalar loss to one scalar; see the class for its formula."""
        values, rows = self.gather(losses)
        s = self.select(self.log_variances, rows)
        return (above_zero(values) * torch.exp(-s) / 2 + s / 2).sum()

    def weight_vector(self) -> Tensor:
        """The weights now, (tasks,)."""
        return torch.exp(-self.log_variances) / 2

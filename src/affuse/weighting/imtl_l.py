"""Impartial multi-task learning, the part that balances losses (IMTL-L)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from affuse.weighting.base import Weighting, above_zero


class ImtlLWeighting(Weighting):
    """IMTL-L: every scaled loss is to be the same (Liu et al. 2021).

    sum_i e^s_i L_i - s_i with s_i learnt from zero.

    Liu et al. 2021, "Towards impartial multi-task learning" (ICLR), section 3.2 with a = e. At the optimum
    e^s_i L_i = 1: every scaled loss is the same, whatever the unit of the loss. That is twice the weight that
    uncertainty weighting comes to. A loss that is 0 counts as 1e-8: its weight would grow without bound.

    Args:
        tasks: The names of the tasks.

    Examples:
        >>> import torch
        >>> weighting = ImtlLWeighting(["emotion", "gender"])
        >>> losses = {"emotion": torch.tensor(1.2), "gender": torch.tensor(0.4)}
        >>> round(weighting(losses).item(), 4)
        1.6
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__(tasks)
        self.log_scales = nn.Parameter(torch.zeros(len(self.tasks)))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The joint loss of a batch, task -> scalar loss to one scalar; see the class for its formula."""
        values, rows = self.gather(losses)
        s = self.select(self.log_scales, rows)
        return (above_zero(values) * torch.exp(s) - s).sum()

    def weight_vector(self) -> Tensor:
        """The weights now, (tasks,)."""
        return torch.exp(self.log_scales)

"""Impartial multi-task learning, the part that balances losses (IMTL-L)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from affuse.weighting.base import Weighting


class ImtlLWeighting(Weighting):
    """sum_i e^s_i L_i - s_i with s_i learnt from zero.

    Liu et al. 2021, "Towards impartial multi-task learning" (ICLR), section 3.2 with a = e. At the optimum
    e^s_i L_i = 1: every scaled loss is the same, whatever the unit of the loss. That is twice the weight that
    uncertainty weighting comes to.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__(tasks)
        self.log_scales = nn.Parameter(torch.zeros(len(self.tasks)))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        values, rows = self.gather(losses)
        s = self.select(self.log_scales, rows)
        return (values * torch.exp(s) - s).sum()

    def weight_vector(self) -> Tensor:
        return torch.exp(self.log_scales)

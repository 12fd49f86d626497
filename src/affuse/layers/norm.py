"""Layer normalisation, for one network or for a stack of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override


class LayerNorm(nn.LayerNorm):
    """As ``torch.nn.LayerNorm`` over the last dimension; with a weight of (runs, width) it is a layer per run."""

    def __init__(self, width: int) -> None:
        super().__init__(width)

    @override
    def forward(self, input: Tensor) -> Tensor:
        """(..., width) -> the same; of a stack (runs, ..., width)."""
        if self.weight.dim() == 1:
            return super().forward(input)
        rows = [
            functional.layer_norm(x, self.normalized_shape, weight, bias, self.eps)
            for x, weight, bias in zip(input.unbind(), self.weight.unbind(), self.bias.unbind(), strict=True)
        ]  # run by run, in one kernel each: scaling afterwards would pass over everything again
        return torch.stack(rows) if len(rows) > 1 else rows[0][None]

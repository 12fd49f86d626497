"""Layer normalisation, for one network or for a stack of them."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from affuse.layers.stacking import per_run


class LayerNorm(nn.LayerNorm):
    """As ``torch.nn.LayerNorm`` over the last dimension; with a weight of (runs, width) it is a layer per run."""

    def __init__(self, width: int) -> None:
        super().__init__(width)

    @override
    def forward(self, input: Tensor) -> Tensor:
        """(..., width) -> the same; of a stack (runs, ..., width)."""
        if self.weight.dim() == 1:
            return super().forward(input)
        scaled = functional.layer_norm(input, self.normalized_shape, eps=self.eps)
        return scaled * per_run(self.weight, input.dim()) + per_run(self.bias, input.dim())

"""A convolution over the steps of a sequence, for one network or for a stack of them."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from affuse.layers.linear import linear


class StepConvolution(nn.Conv1d):
    """``torch.nn.Conv1d`` without a bias that gives as many steps as it takes; the width comes last.

    Args:
        width: Of a step.
        out: Width of a step of the output.
        kernel: Steps that it sees; odd.

    Examples:
        >>> import torch
        >>> StepConvolution(4, 2, kernel=3)(torch.ones(5, 7, 4)).shape
        torch.Size([5, 7, 2])
    """

    def __init__(self, width: int, out: int, kernel: int) -> None:
        super().__init__(width, out, kernel, padding="same", bias=False)

    @override
    def forward(self, input: Tensor) -> Tensor:
        """(batch, time, width) -> (batch, time, out); of a stack (runs, batch, time, width)."""
        weight = self.weight  # (out, width, kernel)
        kernel = weight.shape[-1]
        if kernel == 1:
            return linear(input, weight.squeeze(-1))
        if weight.dim() == 3:
            return super().forward(input.transpose(1, 2)).transpose(1, 2)
        around = functional.pad(input, (0, 0, kernel // 2, kernel // 2)).unfold(-2, kernel, 1)
        return linear(around.flatten(-2), weight.flatten(-2))

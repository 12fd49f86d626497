"""The linear layer, for one network or for a stack of them.

Shapes: s runs, n rows, i input width, o output width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from affuse.layers.products import aligned, bmm


class Linear(nn.Linear):
    """As ``torch.nn.Linear``; with a weight of (runs, out, in) it is a layer per run.

    Examples:
        >>> layer = Linear(3, 2)
        >>> layer(torch.ones(5, 3)).shape
        torch.Size([5, 2])
        >>> linear(torch.ones(4, 5, 3), torch.ones(4, 2, 3)).shape  # four networks at once
        torch.Size([4, 5, 2])
    """

    @override
    def forward(self, input: Tensor) -> Tensor:
        """(..., in) -> (..., out); of a stack (runs, ..., in) -> (runs, ..., out)."""
        return linear(input, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compute x W^T + b, of one network or of each run of a stack.

    Args:
        x: (..., in), or (runs, ..., in).
        weight: (out, in), or (runs, out, in).
        bias: (out,), or (runs, out).

    Returns:
        (..., out), or (runs, ..., out).
    """
    if weight.dim() == 2:
        return functional.linear(x, weight, bias)
    if torch.is_autocast_enabled(x.device.type):
        low = torch.get_autocast_dtype(x.device.type)
        x, weight = x.to(low), weight.to(low)
        bias = None if bias is None else bias.to(low)
    x_sni = x.flatten(1, -2) if x.dim() > 3 else x
    y_sno: Tensor = _StackedLinear.apply(x_sni, weight, bias)  # pyright: ignore[reportAssignmentType]
    return y_sno.unflatten(1, x.shape[1:-1]) if x.dim() > 3 else y_sno


class _StackedLinear(torch.autograd.Function):
    """Batched matrix products, with a backward pass of our own.

    Autograd's would form the weight's gradient transposed, (in, out), and copy it into the weight's layout: a third of
    a step of small networks.
    """

    @staticmethod
    def forward(ctx: Any, x_sni: Tensor, weight_soi: Tensor, bias_so: Tensor | None) -> Tensor:  # type: ignore[override]
        ctx.width = x_sni.shape[2]
        x_sni, weight_soi = aligned(x_sni), aligned(weight_soi)
        ctx.save_for_backward(x_sni, weight_soi)
        return bmm(x_sni, weight_soi.transpose(1, 2), bias_so)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x_sni, weight_soi = ctx.saved_tensors
        grad_sno = grads[0]
        of_x = bmm(grad_sno, weight_soi)[..., : ctx.width] if ctx.needs_input_grad[0] else None
        of_weight = (
            bmm(grad_sno.transpose(1, 2), x_sni)[..., : ctx.width] if ctx.needs_input_grad[1] else None
        )
        of_bias = grad_sno.sum(1) if ctx.needs_input_grad[2] else None
        return of_x, of_weight, of_bias

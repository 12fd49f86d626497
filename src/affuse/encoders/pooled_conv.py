"""One-dimensional convolution of a single channel, and the largest of every few of its outputs.

As ``max_pool1d(conv1d(x, weight, bias), pool)``, for less: clips are cut into pieces, whose outputs stay in the
processor's cache until they are compared; PyTorch's kernels are several times faster with channels last; the bias is
added after the maximum, which changes no digit; and of the outputs' gradient, which is zero but for one in ``pool``,
only that one is multiplied.

Shape letters: b clips, n pieces of all clips, c filters, k taps of a filter, l samples, o outputs of the convolution,
t pooled steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

# Outputs of the convolution that are held at once, on a processor: half a cache of a core. A GPU takes all of them.
OUTPUTS_AT_ONCE = 1 << 19
PIECES_AT_ONCE = 2  # oneDNN takes five times as long for a batch of one


def pooled_conv1d(x_bl: Tensor, weight_c1k: Tensor, bias_c: Tensor | None, pool: int) -> Tensor:
    """``max_pool1d(conv1d(x[:, None], weight, bias), pool)``: (b, l) -> (b, c, t).

    The gradients are of x, weight and bias; there is no second derivative.

    Args:
        x_bl: Samples; t is (l - k + 1) // pool, and at least 1.
        weight_c1k: Filters, as of ``nn.Conv1d``.
        bias_c: One number a filter, or None.
        pool: Neighbouring outputs of which the largest stays; of equal ones the first.

    Examples:
        >>> x, weight = torch.randn(2, 99), torch.randn(4, 1, 20)
        >>> wanted = functional.max_pool1d(functional.conv1d(x[:, None], weight), 8)
        >>> torch.allclose(pooled_conv1d(x, weight, None, 8), wanted, atol=1e-5)
        True
    """
    if torch.compiler.is_exporting():  # plain operators
        return functional.max_pool1d(functional.conv1d(x_bl[:, None], weight_c1k, bias_c), pool)
    filters, _, taps = weight_c1k.shape
    steps = (x_bl.shape[1] - taps + 1) // pool
    most = OUTPUTS_AT_ONCE // PIECES_AT_ONCE // (filters * pool) if x_bl.device.type == "cpu" else steps
    pieces = -(-steps // max(1, most))
    if len(x_bl) * pieces < PIECES_AT_ONCE:
        pieces = PIECES_AT_ONCE
    each = -(-steps // pieces)  # steps of a piece; the last ones are padded
    size = each * pool + taps - 1
    x_bl = functional.pad(x_bl, (0, (pieces - 1) * each * pool + size - x_bl.shape[1]))
    y_nct: Any = _PooledConv.apply(x_bl.unfold(1, size, each * pool).flatten(0, 1), weight_c1k, pool)
    y_bct = y_nct.unflatten(0, (-1, pieces)).transpose(1, 2).flatten(2)[..., :steps]
    return y_bct if bias_c is None else y_bct + bias_c[:, None]


class _PooledConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_nl: Tensor, weight_c1k: Tensor, pool: int) -> Tensor:
        """(n, l) -> (n, c, t), a few pieces at a time."""
        weight_c11k = _channels_last(weight_c1k[:, :, None])
        parts: list[tuple[Tensor, Tensor]] = []
        for some in _few(x_nl):
            y_nc1o = functional.conv2d(_channels_last(x_nl[some, None, None]), weight_c11k)
            parts.append(functional.max_pool2d_with_indices(y_nc1o, (1, pool)))
        y_nct, where_nct = (torch.cat(part)[:, :, 0] for part in zip(*parts, strict=True))
        ctx.save_for_backward(x_nl, weight_c1k, where_nct)
        ctx.pool = pool
        return y_nct

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        """The gradients of x and weight, from where each largest output was."""
        x_nl, weight_c1k, where_nct = ctx.saved_tensors
        d_nct = gradients[0].to(weight_c1k.dtype)
        wants_x, wants_weight = ctx.needs_input_grad[:2]
        dx_nl = torch.zeros_like(x_nl) if wants_x else None
        dw_c1k = torch.zeros_like(weight_c1k) if wants_weight else None
        for some in _few(x_nl):
            here = d_nct[some], where_nct[some]
            if dw_c1k is not None:
                dw_c1k += _weight_gradient(x_nl[some].to(d_nct.dtype), *here, weight_c1k.shape[-1])
            if dx_nl is not None:
                dx_nl[some] = _input_gradient(x_nl[some], *here, weight_c1k)
        return dx_nl, dw_c1k, None


def _few(x_nl: Tensor) -> Iterator[slice]:
    """Pieces that are computed together; the last few take what is left over, so that no single one is."""
    together = PIECES_AT_ONCE if x_nl.device.type == "cpu" else len(x_nl)
    last = max(1, len(x_nl) // together) - 1
    for i in range(last):
        yield slice(i * together, (i + 1) * together)
    yield slice(last * together, None)


def _weight_gradient(x_nl: Tensor, d_nct: Tensor, where_nct: Tensor, taps: int) -> Tensor:
    """For each filter, the windows that were largest, summed with d as their weights."""
    windows_nok = x_nl.unfold(1, taps, 1)
    first_n = torch.arange(len(x_nl), device=x_nl.device) * windows_nok.shape[1]
    rows_ct = (where_nct + first_n[:, None, None]).transpose(0, 1).flatten(1)
    dw_ck = functional.embedding_bag(
        rows_ct, windows_nok.flatten(0, 1), mode="sum", per_sample_weights=d_nct.transpose(0, 1).flatten(1)
    )
    return dw_ck[:, None]


def _input_gradient(x_nl: Tensor, d_nct: Tensor, where_nct: Tensor, weight_c1k: Tensor) -> Tensor:
    """By a convolution of the outputs' whole gradient, mostly zeros: nothing before the samples learns."""
    outputs = x_nl.shape[1] - weight_c1k.shape[-1] + 1
    d_nco = d_nct.new_zeros(*d_nct.shape[:2], outputs).scatter_(2, where_nct, d_nct)
    return functional.conv_transpose1d(d_nco, weight_c1k)[:, 0]


def _channels_last(x: Tensor) -> Tensor:
    """By its strides too where there is one channel only; contiguous() would leave those as they are."""
    return torch.empty_like(x, memory_format=torch.channels_last).copy_(x)

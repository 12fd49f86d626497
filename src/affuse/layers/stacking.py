"""What code for one network and for a stack of them needs besides layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from affuse.layers.products import aligned, bmm


def per_run(parameter: Tensor, dims: int) -> Tensor:
    """A stacked vector, (runs, width), as (runs, 1, ..., 1, width) of ``dims`` dimensions; (width,) is left as it is.

    Examples:
        >>> per_run(torch.ones(4, 3), 3).shape
        torch.Size([4, 1, 3])
    """
    if parameter.dim() == 1:
        return parameter
    return parameter.reshape(parameter.shape[0], *[1] * (dims - 2), parameter.shape[1])


def pick_rows(table: Tensor, index: Tensor) -> Tensor:
    """The rows of a table, such as each utterance's own center.

    Args:
        table: (rows, width), or (runs, rows, width).
        index: (n,) int64, or (runs, n).

    Returns:
        (n, width), or (runs, n, width).

    Examples:
        >>> pick_rows(torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.tensor([1, 1, 0]))[:, 0].tolist()
        [2.0, 2.0, 0.0]
    """
    if table.dim() == 2:
        return table[index]
    return _PickRows.apply(table, index)  # pyright: ignore[reportReturnType]


class _PickRows(torch.autograd.Function):
    """Its backward pass adds up by a matrix product: always in one order, and several times faster than scattering."""

    @staticmethod
    def forward(ctx: Any, table_srw: Tensor, index_sn: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(index_sn)
        ctx.rows = table_srw.shape[1]
        return table_srw.gather(1, index_sn[:, :, None].expand(-1, -1, table_srw.shape[2]))

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, None]:  # type: ignore[override]
        (index_sn,) = ctx.saved_tensors
        chosen_snr = functional.one_hot(index_sn, ctx.rows).to(grads[0].dtype)
        grad_snw = aligned(grads[0])
        return bmm(chosen_snr.transpose(1, 2), grad_snw)[..., : grads[0].shape[2]], None

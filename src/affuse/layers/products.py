"""Batched matrix products that give a run the same bits whatever it is stacked with."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

ALIGNED = 4  # floats in 16 bytes


def bmm(a_snj: Tensor, b_sjk: Tensor, bias_sk: Tensor | None = None) -> Tensor:
    """``torch.bmm``, plus a bias per run; every matrix comes out as in any other stack.

    A single matrix is multiplied as a stack of two: the library would divide it among threads, or take it for a
    vector, and add up in another order.

    Args:
        a_snj: (runs, n, j).
        b_sjk: (runs, j, k).
        bias_sk: (runs, k), or None.

    Returns:
        (runs, n, k).
    """
    single = a_snj.shape[0] == 1 and a_snj.device.type == "cpu"
    if single and (torch.get_num_threads() > 1 or b_sjk.shape[2] == 1):
        doubled = (None if t is None else t.expand(2, *t.shape[1:]) for t in (a_snj, b_sjk, bias_sk))
        return _bmm(*doubled)[:1]  # pyright: ignore[reportArgumentType]
    return _bmm(a_snj, b_sjk, bias_sk)


def aligned(x: Tensor) -> Tensor:
    """Zeros added to the last dimension until every row begins at a multiple of 16 bytes; most widths do already.

    The library adds up a matrix that begins elsewhere in another order, so its bits would depend on the run's place.
    """
    missing = -x.shape[-1] % ALIGNED
    return functional.pad(x, (0, missing)) if missing else x


def _bmm(a_snj: Tensor, b_sjk: Tensor, bias_sk: Tensor | None) -> Tensor:
    if bias_sk is None:
        return torch.bmm(a_snj, b_sjk)
    return torch.baddbmm(bias_sk[:, None], a_snj, b_sjk)

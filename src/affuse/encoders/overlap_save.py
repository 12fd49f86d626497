"""Overlap-save convolution of many channels as one complex matrix product per frequency, with its gradients.

Overlap-save (Oppenheim & Schafer, Discrete-Time Signal Processing, section 8.7.3): the output is cut into
spans of ``step = block - kernel size + 1`` steps. Each depends on ``block`` samples of the input only, whose
circular correlation with the kernel, taken by FFT, is exact on its first ``step`` samples. With X, W, Y the
spectra of input blocks, kernels and output blocks, and D those of the output gradient's spans (zero-padded to
``block``):

    Y = conj(W) X                   keep the first ``step`` samples of each block
    conj(dX) = conj(W)^T conj(D)    add the blocks up where they overlap
    dW = conj(D) X^T                keep the first ``kernel size`` lags

so conj(W) and conj(D), conjugated while they are stored, serve for all three.

Shape letters: b clips, c channels in, o channels out, g groups, t time, n blocks of a clip, s samples of a
block or of a kernel, f frequencies, m = (b n) the columns of the matrix products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

# Transforms go through a buffer of about this size, small enough for a processor's cache: the transpose to
# frequency-major order then costs next to nothing. A GPU wants few, large launches instead.
CHUNK_BYTES = {"cpu": 8 << 20, "cuda": 256 << 20}
# Spectra of the input held at once (per tile; the output's are as large): bounds the memory for any batch.
TILE_BYTES = {"cpu": 128 << 20, "cuda": 1 << 30}


def kernel_spectra(weight: Tensor, block: int) -> Tensor:
    """conj(W), (f, o, c/g): conjugate spectra of kernels (o, c/g, s) zero-padded to ``block``."""
    weight = weight.detach()
    weight = weight if weight.dtype == torch.float64 else weight.float()
    outs, ins, _ = weight.shape
    return _spectra_of(lambda span: weight[span, :, None], outs, ins, block, weight, conjugate=True)


class OverlapSave(torch.autograd.Function):
    """The convolution: ``apply(x, weight, bias, kernel_spectra(weight, block), block, padding, groups)``."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        spectra: Tensor,
        block: int,
        padding: tuple[int, int],
        groups: int,
    ) -> Tensor:
        """Y = conj(W) X, tile by tile."""
        working = spectra.dtype.to_real()
        step, left = block - weight.shape[-1] + 1, padding[0]
        x_cbt = x.to(working).transpose(0, 1)
        y_bot = x_cbt.new_empty((len(x), len(weight), x.shape[-1] + sum(padding) - weight.shape[-1] + 1))
        shift = None if bias is None else bias.to(working)[:, None, None]
        matrices = _by_group(spectra, groups)
        kept = []
        for clips, start, stop, count in _tiles(x_cbt.transpose(0, 1), y_bot.shape[-1], block, step):
            tile_cbt, size = x_cbt[:, clips], (count - 1) * step + block

            def read(
                span: slice, tile_cbt: Tensor = tile_cbt, first: int = start - left, size: int = size
            ) -> Tensor:
                return _window(tile_cbt[span], first, size).unfold(-1, block, step)

            x_fcm = _spectra_of(read, len(x_cbt), tile_cbt.shape[1] * count, block, x_cbt, conjugate=False)
            y_obt = y_bot[clips, :, start:stop].transpose(0, 1)
            for span, blocks in _signals_of(_product(matrices, x_fcm, groups), count, block):
                _write_steps(blocks, None if shift is None else shift[span], step, y_obt[span])
            if ctx.needs_input_grad[1]:
                kept.append(x_fcm)
        ctx.save_for_backward(spectra, *kept)
        ctx.shapes, ctx.dtypes = (x.shape, weight.shape), (x.dtype, weight.dtype)
        ctx.left, ctx.block, ctx.groups = left, block, groups
        return y_bot.to(torch.promote_types(x.dtype, weight.dtype))

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        """The gradients of x, weight and bias, from the kept spectra."""
        spectra, *kept = ctx.saved_tensors
        (x_shape, weight_shape), block, groups = ctx.shapes, ctx.block, ctx.groups
        step = block - weight_shape[-1] + 1
        d_obt = gradients[0].to(spectra.dtype.to_real()).transpose(0, 1)
        wants_x, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        dx = d_obt.new_zeros(x_shape) if wants_x else None
        dw = d_obt.new_zeros(weight_shape) if wants_weight else None
        matrices = _by_group(spectra, groups).transpose(1, 2)
        like = d_obt.new_empty((x_shape[0], x_shape[1], 0))  # the tiles of forward, again
        tiles = _tiles(like, d_obt.shape[-1], block, step) if wants_x or wants_weight else ()
        for index, (clips, start, _, count) in enumerate(tiles):
            tile_obt = d_obt[:, clips]

            def read(
                span: slice, tile_obt: Tensor = tile_obt, start: int = start, count: int = count
            ) -> Tensor:
                return _window(tile_obt[span], start, count * step).unflatten(-1, (count, step))

            d_fom = _spectra_of(read, len(d_obt), tile_obt.shape[1] * count, block, d_obt, conjugate=True)
            if dx is not None:
                _add_input_gradient(
                    _product(matrices, d_fom, groups),
                    dx[clips].transpose(0, 1),
                    start - ctx.left,
                    count,
                    step,
                    block,
                )
            if dw is not None:
                _add_weight_gradient(d_fom, kept[index], dw, groups, block)
        return (
            None if dx is None else dx.to(ctx.dtypes[0]),
            None if dw is None else dw.to(ctx.dtypes[1]),
            gradients[0].sum((0, 2)) if wants_bias else None,
            *[None] * 4,
        )


def _add_input_gradient(
    dx_fcm: Tensor, dx_cbt: Tensor, first: int, count: int, step: int, block: int
) -> None:
    """Add blocks whose conjugate spectra are ``dx_fcm`` (overwritten), the first at sample ``first``."""
    size = (count - 1) * step + block
    low, high = max(first, 0), min(first + size, dx_cbt.shape[-1])
    for span, blocks in _signals_of(dx_fcm.conj_physical_(), count, block):
        if low < high:
            dx_cbt[span, :, low:high] += _overlap_add(blocks, step)[..., low - first : high - first]


def _add_weight_gradient(d_fom: Tensor, x_fcm: Tensor, dw: Tensor, groups: int, block: int) -> None:
    """Add the first lags of the correlation of output gradient and input; a few output channels at a time."""
    outs, ins, kernel = dw.shape
    rows, columns = _by_group(d_fom, groups), _by_group(x_fcm, groups).transpose(1, 2)
    dw_gocs = dw.view(groups, outs // groups, ins, kernel)
    for span in _chunks(outs // groups, groups * ins * block, dw):
        products = torch.bmm(rows[:, span], columns).unflatten(0, (-1, groups)).flatten(1)
        lags = torch.fft.irfft(products, n=block, dim=0)[:kernel].t()
        dw_gocs[:, span] += lags.unflatten(0, (groups, -1, ins))


class _Tile(NamedTuple):
    """Output steps ``start`` to ``stop`` of some clips, in ``blocks`` blocks; a clip's last may be partial."""

    clips: slice
    start: int
    stop: int
    blocks: int


def _tiles(x: Tensor, steps: int, block: int, step: int) -> Iterator[_Tile]:
    """As many clips at once, or blocks of one clip, as their spectra's size allows."""
    bytes_per_block = (block // 2 + 1) * x.shape[1] * 2 * x.element_size()
    blocks = max(1, TILE_BYTES.get(x.device.type, TILE_BYTES["cuda"]) // bytes_per_block)
    span = min(blocks, -(-steps // step)) * step
    clips = max(1, blocks // -(-steps // step))
    for clip in range(0, len(x), clips):
        for start in range(0, steps, span):
            stop = min(start + span, steps)
            yield _Tile(slice(clip, min(clip + clips, len(x))), start, stop, -(-(stop - start) // step))


def _chunks(count: int, samples: int, like: Tensor) -> Iterator[slice]:
    """Slices of ``range(count)``, items of ``samples`` each, of about ``CHUNK_BYTES``."""
    size = CHUNK_BYTES.get(like.device.type, CHUNK_BYTES["cuda"])
    items = max(1, size // (samples * like.element_size()))
    for first in range(0, count, items):
        yield slice(first, min(first + items, count))


def _window(x: Tensor, first: int, size: int) -> Tensor:
    """Samples ``first`` to ``first + size`` of the last axis, zeros where that leaves it."""
    length = x.shape[-1]
    if first >= length or first + size <= 0:
        return x.new_zeros((*x.shape[:-1], size))
    return functional.pad(x, (-first, first + size - length))  # a negative padding cuts


def _spectra_of(
    signals: Callable[[slice], Tensor], channels: int, columns: int, block: int, like: Tensor, conjugate: bool
) -> Tensor:
    """Spectra (f, c, m) of ``signals(channel span)``, each (c, b, n, s) and zero-padded to ``block``."""
    spectra = like.new_empty((block // 2 + 1, channels, columns), dtype=like.dtype.to_complex())
    for span in _chunks(channels, columns * block, like):
        part = torch.fft.rfft(signals(span), n=block).movedim(-1, 0).flatten(2)
        # Transposed, and conjugated, while the part is still in the cache.
        spectra[:, span] = part.conj() if conjugate else part
    return spectra


def _signals_of(spectra_fcm: Tensor, count: int, block: int) -> Iterator[tuple[slice, Tensor]]:
    """Channel spans of the inverse transform, each (c, b, n, s) with ``count`` = n blocks a clip."""
    _, channels, columns = spectra_fcm.shape
    for span in _chunks(channels, columns * block, spectra_fcm.real):
        # The transform gathers its strided input itself: no transpose.
        signals = torch.fft.irfft(spectra_fcm[:, span].flatten(1), n=block, dim=0).t()
        yield span, signals.unflatten(0, (-1, columns // count, count))


def _by_group(spectra: Tensor, groups: int) -> Tensor:
    """(f, channels, ...) -> (f g, channels / g, ...): the matrices of one batched product."""
    return spectra.unflatten(1, (groups, -1)).flatten(0, 1)


def _product(matrices: Tensor, columns_fcm: Tensor, groups: int) -> Tensor:
    """(f g, rows, c/g) times (f, c, m) -> (f, g rows, m), one complex product per frequency and group."""
    columns = _by_group(columns_fcm, groups)
    out = columns.new_empty((len(matrices), matrices.shape[1], columns.shape[2]))
    return torch.bmm(matrices, columns, out=out).unflatten(0, (-1, groups)).flatten(1, 2)


def _write_steps(blocks: Tensor, shift: Tensor | None, step: int, y_obt: Tensor) -> None:
    """The first ``step`` samples of each block (o, b, n, s), plus ``shift`` (o, 1, 1), one after another."""
    steps = y_obt.shape[-1]
    whole = steps // step * step
    pairs = []
    if whole:
        pairs.append((blocks[:, :, : whole // step, :step], y_obt[..., :whole].unflatten(-1, (-1, step))))
    if whole < steps:
        pairs.append((blocks[:, :, -1:, : steps - whole], y_obt[:, :, None, whole:]))
    for source, target in pairs:
        if shift is None:
            target.copy_(source)
        else:
            torch.add(source, shift[..., None], out=target)


def _overlap_add(blocks: Tensor, step: int) -> Tensor:
    """Blocks (c, b, n, s), each ``step`` after the one before, summed to (c, b, (n - 1) step + s)."""
    c, b, count, block = blocks.shape
    if count == 1:
        return blocks[:, :, 0]
    total = blocks.new_zeros((c, b, count + -(-block // step) - 1, step))
    for first, piece in enumerate(blocks.split(step, dim=-1)):
        total[:, :, first : first + count, : piece.shape[-1]] += piece
    return total.flatten(2)[..., : (count - 1) * step + block]

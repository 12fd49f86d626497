"""One-dimensional convolution with kernels of thousands of samples: exact, by FFT, hundreds of times faster.

Overlap-save (Oppenheim & Schafer, Discrete-Time Signal Processing, section 8.7.3): the output is cut into spans
of ``step = block - kernel_size + 1`` steps; each span depends on ``block`` input samples only, whose circular
correlation with the kernel, taken by FFT, is exact on the first ``step`` of them. Over channels the product is
one complex matrix product per frequency, of all spans of all clips at once. With X, W, Y the spectra of input
blocks, kernels and output blocks, D those of the output gradient's spans (zero-padded to ``block``):

    Y = conj(W) X            kept: the first ``step`` samples
    conj(dX) = conj(W)^T conj(D)          the blocks overlap-add into the input gradient
    dW = conj(D) X^T         kept: the first ``kernel_size`` lags

so conj(W) and conj(D), conjugated as they are stored, serve for everything. ``docs/long-convolution.md`` has
the arithmetic and the measurements. Only torch is imported here.

Shape letters: b clips, c channels in, o channels out, g groups, t time, n blocks of a clip, s samples of a block
or of a kernel, f frequencies, m = (b n) the columns of the matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import log2
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

# Transforms go through a buffer of about this size, small enough for a processor's cache: the transpose to
# frequency-major order then costs next to nothing. A GPU wants few, large launches instead.
CHUNK_BYTES = {"cpu": 8 << 20, "cuda": 256 << 20}
# Spectra of the input held at once (per tile; the output's are as large): bounds the memory for any batch.
TILE_BYTES = {"cpu": 128 << 20, "cuda": 1 << 30}
# The rule for the block, in nanoseconds measured on two CPU cores (benchmarks/bench_long_conv.py):
# per sample of a real FFT and per doubling of its length, per complex multiply-add of the matrix product,
# per complex number of the kernel spectra read, and made anew (forward and weight gradient).
FFT_NS, PRODUCT_NS, READ_NS, FRESH_NS = 0.09, 0.05, 0.2, 6.0


def long_conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    padding: tuple[int, int] = (0, 0),
    groups: int = 1,
) -> Tensor:
    """``conv1d(pad(x, padding), weight, bias, groups=groups)`` to float32 rounding, by overlap-save FFT.

    x:       (batch, channels in, time), any strides
    weight:  (channels out, channels in / groups, kernel size); like conv1d this is cross-correlation
    bias:    (channels out,) or None
    padding: zeros before and after the time axis, each 0 or more

    Returns (batch, channels out, time + sum(padding) - kernel size + 1). The arithmetic is float32 whatever the
    autocast or the input (float64 if any input is float64); the result has the inputs' promoted type.
    Gradients of x, weight and bias are of the same form; there is no second derivative.
    Raises ValueError where conv1d would refuse the shapes.
    """
    steps = _check(x, weight, bias, padding, groups)
    fresh = weight.requires_grad and torch.is_grad_enabled()
    block = choose_block(weight.shape, groups, len(x), steps) if fresh else choose_block(weight.shape, groups)
    spectra = kernel_spectra(weight, block)
    result: Any = _LongConvolution.apply(x, weight, bias, spectra, block, padding, groups)
    return result


class LongConv1d(nn.Module):
    """``nn.Conv1d`` of stride 1 for long kernels: same parameters, names, initialisation and results.

    The kernels' spectra, ``(block / 2 + 1) * out_channels * in_channels / groups`` complex numbers, are made once
    per weight update: they are kept until the weight changes (its version counter, its address, or the value of
    one weight in a thousand), until ``train()`` or ``eval()`` switches the mode, or until the module moves.

    padding: zeros before and after the time axis
    block:   FFT length, at least ``kernel_size``; None lets ``choose_block`` take it from the shapes
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        padding: tuple[int, int] = (0, 0),
        groups: int = 1,
        bias: bool = True,
        block: int | None = None,
    ) -> None:
        super().__init__()
        if block is not None and block < kernel_size:
            raise ValueError(f"block {block} is shorter than the kernel of {kernel_size}; give at least that")
        like = nn.Conv1d(
            in_channels, out_channels, kernel_size, groups=groups, bias=bias
        )  # its checks and init
        self.weight = like.weight
        self.bias = like.bias
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self.padding, self.groups, self.block = (int(padding[0]), int(padding[1])), groups, block
        self._kept: tuple[Any, Tensor, Tensor] | None = None  # key, sample of the weight, spectra

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, time) -> (batch, out_channels, time + sum(padding) - kernel_size + 1)."""
        if torch.compiler.is_exporting():  # export wants one plain operator, not blocks of complex numbers
            padded = functional.pad(x, self.padding)
            return functional.conv1d(padded, self.weight, self.bias, groups=self.groups)
        return self._by_fft(x)

    @torch.compiler.disable  # FFT and out= buffers gain nothing from a graph
    def _by_fft(self, x: Tensor) -> Tensor:
        steps = _check(x, self.weight, self.bias, self.padding, self.groups)
        fresh = self.weight.requires_grad and torch.is_grad_enabled()
        if self.block is not None:
            block = self.block
        elif fresh:
            block = choose_block(self.weight.shape, self.groups, len(x), steps)
        else:  # independent of the clips, so that the spectra stay good
            block = choose_block(self.weight.shape, self.groups)
        spectra = self._spectra(block)
        result: Any = _LongConvolution.apply(
            x, self.weight, self.bias, spectra, block, self.padding, self.groups
        )
        return result

    def _spectra(self, block: int) -> Tensor:
        weight = self.weight.detach()
        key = (block, weight.data_ptr(), weight._version, weight.dtype, weight.device)
        # Writes through `.data` (weight averaging, sharding) leave the version as it was; the sample sees them.
        sample = weight.view(-1)[:: max(1, weight.numel() // 4096) | 1]
        if self._kept is None or self._kept[0] != key or not torch.equal(self._kept[1], sample):
            self._kept = None  # free the old before making the new
            self._kept = (key, sample.clone(), kernel_spectra(weight, block))
        return self._kept[2]

    def train(self, mode: bool = True) -> LongConv1d:
        if mode != self.training:
            self._kept = None
        return super().train(mode)

    def _apply(self, fn: Any, recurse: bool = True) -> LongConv1d:
        self._kept = None
        return super()._apply(fn, recurse)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}  # copies make their own

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, padding={self.padding}, "
            f"groups={self.groups}, bias={self.bias is not None}"
        )


def choose_block(
    weight_shape: torch.Size | tuple[int, int, int],
    groups: int = 1,
    clips: int | None = None,
    steps: int | None = None,
) -> int:
    """The FFT length expected to be fastest: a product of 2, 3, 5 and 7, by the measured costs above.

    With ``clips`` and output ``steps`` given, the kernels' spectra are new for this one batch and count. Without,
    they are kept for many calls and the choice depends on the kernel alone: one clip of 12 kernels' length.
    """
    outs, ins, kernel = weight_shape
    fresh = clips is not None and steps is not None
    clips, steps = (max(1, clips), max(1, steps)) if fresh else (1, 12 * kernel)
    best, best_cost = 0, float("inf")
    blocks_per_clip = 1
    while True:
        block = _smooth(-(-steps // blocks_per_clip) + kernel - 1)
        columns = clips * -(-steps // (block - kernel + 1))
        frequencies = block // 2 + 1
        cost = FFT_NS * columns * (ins * groups + outs) * block * log2(block + 1)
        cost += frequencies * outs * ins * (PRODUCT_NS * columns + READ_NS + FRESH_NS * fresh)
        if cost < best_cost:
            best, best_cost = block, cost
        if block < 1.25 * kernel or blocks_per_clip >= steps:  # shorter blocks only repeat themselves
            return best
        blocks_per_clip += max(1, blocks_per_clip // 8)


def kernel_spectra(weight: Tensor, block: int) -> Tensor:
    """conj(W): the conjugate spectra of kernels (o, c/g, s), zero-padded to ``block``: (f, o, c/g), complex."""
    weight = weight.detach()
    weight = weight if weight.dtype == torch.float64 else weight.float()
    return _spectra_of(lambda outs: weight[outs, :, None], *weight.shape[:2], block, weight, conjugate=True)


def _check(x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int], groups: int) -> int:
    """The number of output steps; ValueError where conv1d would refuse."""
    if x.dim() != 3 or weight.dim() != 3:
        raise ValueError(
            f"x and weight need 3 dimensions; they have shapes {tuple(x.shape)}, {tuple(weight.shape)}"
        )
    outs, ins, kernel = weight.shape
    if x.shape[1] != ins * groups or outs % groups:
        raise ValueError(
            f"{x.shape[1]} channels do not fit a weight of {tuple(weight.shape)} in {groups} groups"
        )
    if bias is not None and bias.shape != (outs,):
        raise ValueError(f"bias has shape {tuple(bias.shape)}; it needs ({outs},)")
    if min(padding) < 0:
        raise ValueError(f"padding {padding} must not be negative; cut x instead")
    steps = x.shape[-1] + sum(padding) - kernel + 1
    if steps < 1:
        raise ValueError(f"{x.shape[-1]} samples padded by {padding} are shorter than the kernel of {kernel}")
    return steps


def _smooth(least: int) -> int:
    """The smallest product of 2, 3, 5 and 7 that is at least ``least``."""
    size = least
    while True:
        rest = size
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 1


class _Tile(NamedTuple):
    """Output steps ``start`` to ``stop`` of some clips, in ``count`` blocks; only a clip's last may be partial."""

    clips: slice
    start: int
    stop: int
    count: int


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
    """The first ``step`` samples of each block (o, b, n, s), plus ``shift`` (o, 1, 1), one after the other."""
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


class _LongConvolution(torch.autograd.Function):
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
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
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

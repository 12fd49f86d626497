"""One-dimensional convolution with kernels of thousands of samples: exact, by FFT, hundreds of times faster.

The arithmetic is in ``overlap_save.py``; how it was measured and what did not help, in
``docs/long-convolution.md``.
"""

from __future__ import annotations

from math import log2
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from affuse.encoders.overlap_save import OverlapSave, kernel_spectra
from affuse.errors import AffuseError

# The rule for the block: nanoseconds of one core, fitted (mostly within 15 %) to bench_long_conv.py --blocks.
FFT_NS = 0.22  # per sample of a real FFT and doubling of its length
PRODUCT_NS = 0.15  # per complex multiply-add of the matrix products
READ_NS = 0.4  # per complex number of the kernel spectra, each time a product streams them
FRESH_NS = 12.7  # per complex number of the kernel spectra made, and of their gradient transformed back


def long_conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    padding: tuple[int, int] = (0, 0),
    groups: int = 1,
) -> Tensor:
    """``conv1d(pad(x, padding), weight, bias, groups=groups)`` to float32 rounding, by overlap-save FFT.

    The arithmetic is float32 under any autocast and for any smaller type, float64 where the weight is.
    The gradients of x, weight and bias are of the same form; there is no second derivative.

    Args:
        x: (batch, channels in, time), any strides.
        weight: (channels out, channels in / groups, kernel size); like conv1d this is cross-correlation.
        bias: (channels out,) or None.
        padding: Zeros before and after the time axis, each 0 or more.
        groups: Of channels, as in conv1d.

    Returns:
        (batch, channels out, time + sum(padding) - kernel size + 1), in x's and weight's common type.

    Raises:
        AffuseError: Shapes that conv1d would refuse.

    Examples:
        >>> x, weight = torch.randn(2, 3, 9000), torch.randn(4, 3, 4000)
        >>> wanted = functional.conv1d(x, weight)
        >>> torch.allclose(long_conv1d(x, weight), wanted, rtol=1e-4, atol=1e-2)
        True
    """
    steps = _check(x, weight, bias, padding, groups)
    fresh = weight.requires_grad and torch.is_grad_enabled()
    block = choose_block(weight.shape, groups, len(x), steps) if fresh else choose_block(weight.shape, groups)
    spectra = kernel_spectra(weight, block)
    result: Any = OverlapSave.apply(x, weight, bias, spectra, block, padding, groups)
    return result


class LongConv1d(nn.Module):
    """``nn.Conv1d`` of stride 1 for long kernels: same parameters, names, initialisation and results.

    The kernels' complex spectra (block / 2 + 1, out_channels, in_channels / groups) are kept until the weight
    changes (by its version counter, its address, or any of some thousands of its values), until train() or
    eval() switches the mode, or until the module moves. Do not capture it in a CUDA graph: a replay would not
    notice a changed weight.

    Args:
        in_channels: As in ``nn.Conv1d``.
        out_channels: As in ``nn.Conv1d``.
        kernel_size: Samples of a kernel; it pays from some hundreds on.
        padding: Zeros before and after the time axis.
        groups: As in ``nn.Conv1d``.
        bias: As in ``nn.Conv1d``.
        block: FFT length, at least ``kernel_size``; None lets ``choose_block`` take it from the shapes.

    Raises:
        AffuseError: ``block`` is shorter than the kernel; in ``forward``, shapes that conv1d would refuse.

    Examples:
        >>> layer = LongConv1d(1, 40, 4000, padding=(2000, 1999))
        >>> layer(torch.zeros(2, 1, 16_000)).shape
        torch.Size([2, 40, 16000])
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
            raise AffuseError(
                f"The block {block} is shorter than the kernel of {kernel_size}; give at least that."
            )
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
        if torch.compiler.is_exporting():  # one plain operator; `affuse export` has a faster form of its own
            padded = functional.pad(x, self.padding)
            return functional.conv1d(padded, self.weight, self.bias, groups=self.groups)
        result: Any = self._by_fft(x)
        return result

    # FFT and out= buffers gain nothing from a graph
    @torch.compiler.disable()  # pyright: ignore[reportUntypedFunctionDecorator]
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
        result: Any = OverlapSave.apply(x, self.weight, self.bias, spectra, block, self.padding, self.groups)
        return result

    def _spectra(self, block: int) -> Tensor:
        weight = self.weight.detach()
        key = (block, weight.data_ptr(), weight._version, weight.dtype, weight.device)
        # Writes through `.data` (weight averaging, sharding) leave the version alone; the sample sees them.
        sample = weight.flatten()[:: max(1, weight.numel() // 4096) | 1]
        if self._kept is None or self._kept[0] != key or not torch.equal(self._kept[1], sample):
            self._kept = None  # free the old before making the new
            self._kept = (key, sample.clone(), kernel_spectra(weight, block))
        return self._kept[2]

    def train(self, mode: bool = True) -> LongConv1d:
        """As ``nn.Module.train``; kernels are transformed again after a change of the mode."""
        if mode != self.training:
            self._kept = None
        return super().train(mode)

    def _apply(self, fn: Any, recurse: bool = True) -> LongConv1d:
        self._kept = None
        return super()._apply(fn, recurse)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}  # copies make their own

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"padding={self.padding}, groups={self.groups}, bias={self.bias is not None}"
        )


def choose_block(
    weight_shape: torch.Size | tuple[int, int, int],
    groups: int = 1,
    clips: int | None = None,
    steps: int | None = None,
) -> int:
    """The FFT length expected to be fastest: a product of 2, 3, 5 and 7, by the measured costs above.

    With ``clips`` and output ``steps`` given, the kernels' spectra are new for this one batch, and count.
    Without, they are kept for many calls and the choice depends on the kernel alone: a clip 12 kernels long.
    """
    outs, ins, kernel = weight_shape
    fresh = clips is not None and steps is not None
    clips, steps = max(1, clips or 1), max(1, steps or 12 * kernel)
    best, best_cost = 0, float("inf")
    blocks_per_clip = 1
    while True:
        block = _smooth(-(-steps // blocks_per_clip) + kernel - 1)
        columns = clips * -(-steps // (block - kernel + 1))
        transforms = FFT_NS * columns * (ins * groups + outs) * block * log2(block + 1)
        products, per_number = PRODUCT_NS * columns, READ_NS
        if fresh:  # backward doubles the transforms and has two products more, one of them with the spectra
            transforms, products, per_number = 2 * transforms, 3 * products, 2 * READ_NS + FRESH_NS
        cost = transforms + (block // 2 + 1) * outs * ins * (products + per_number)
        if cost < best_cost:
            best, best_cost = block, cost
        if block < 1.25 * kernel or blocks_per_clip >= steps:  # shorter ones only repeat more of the input
            return best
        blocks_per_clip += max(1, blocks_per_clip // 8)


def _check(x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int], groups: int) -> int:
    """The number of output steps; AffuseError where conv1d would refuse."""
    if x.dim() != 3 or weight.dim() != 3:
        raise AffuseError(
            f"x and weight need 3 dimensions; they have the shapes {tuple(x.shape)} and {tuple(weight.shape)}."
        )
    outs, ins, kernel = weight.shape
    if x.shape[1] != ins * groups or outs % groups:
        raise AffuseError(
            f"{x.shape[1]} channels do not fit a weight of {tuple(weight.shape)} in {groups} groups."
        )
    if bias is not None and bias.shape != (outs,):
        raise AffuseError(f"bias has the shape {tuple(bias.shape)}; it needs ({outs},).")
    if min(padding) < 0:
        raise AffuseError(f"The padding {padding} must not be negative; cut x instead.")
    steps = x.shape[-1] + sum(padding) - kernel + 1
    if steps < 1:
        raise AffuseError(
            f"{x.shape[-1]} samples padded by {padding} are shorter than the kernel of {kernel}."
        )
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

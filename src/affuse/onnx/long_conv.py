"""A convolution of thousands of taps as ONNX operators: overlap-save, its transforms as matrix products.

ONNX has a Fourier transform, but onnxruntime's takes fifteen times torch's time, on one thread; matrix products are
what it does best. Blocks of N = 2 hop samples, a hop of rows x columns >= taps, start a hop apart; the first hop of
the circular correlation of each with the kernel is exact (see ``overlap_save.py``). A block's sample is
n1 columns + n2, a frequency k1 + 2 rows k2, and the transform is two products (Cooley and Tukey, 1965):

    X[k1, k2] = sum over n2 of exp(-2 pi i (k1 / N + k2 / columns) n2)
                  (sum over n1 of exp(-2 pi i k1 n1 / (2 rows)) x[n1, n2])

one with a small matrix (``first``) and one with a matrix for every k1 (``second``), twiddle factors inside. Signals are
real, so k1 = 0 to rows is enough. Complex numbers are pairs of real ones: the kernels' spectra R + i I act, conjugate,
as [[R, I], [-I, R]]. Time and frequency come first in every tensor, so that no product waits for a transpose.

Shape letters: s samples, t time, b clips, n blocks of a clip, m = (b n), c channels in, o channels out, g groups,
k = k1, f = (k1 k2) frequencies, z = 2 real numbers of a complex one.
"""

from __future__ import annotations

from math import isqrt, tau
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from affuse.encoders.long_conv import LongConv1d

_PREFIX = "long_conv/"  # of the names of this module's nodes
_CLASSES = "pkg.torch.onnx.class_hierarchy"  # where the exporter notes the modules that a node comes from


class OnnxLongConv(nn.Module):
    """Stands in for a ``LongConv1d`` while a network is exported; float32, any number of clips of any length.

    The file holds the kernels and not their spectra, which are four times as large. onnxruntime computes whatever
    depends on constants alone once, as it opens the file.
    """

    first: Tensor
    second: Tensor
    last: Tensor
    kernels_soc: Tensor
    bias: Tensor | None

    def __init__(self, conv: LongConv1d) -> None:
        super().__init__()
        self.padding, self.groups, self.taps = conv.padding, conv.groups, conv.kernel_size
        self.columns = isqrt(self.taps)  # nearly a square: the fewest operations
        self.rows = -(-self.taps // self.columns)
        self.hop = self.rows * self.columns
        first, second, last = _transforms(self.rows, self.columns)
        self.register_buffer("first", first)
        self.register_buffer("second", second)
        self.register_buffer("last", last)
        self.register_buffer("kernels_soc", conv.weight.detach().float().permute(2, 0, 1).contiguous())
        self.register_buffer("bias", None if conv.bias is None else conv.bias.detach().float()[:, None])

    def forward(self, x_bct: Tensor) -> Tensor:
        """(batch, channels in, time) -> (batch, channels out, time + sum(padding) - taps + 1).

        Time and padding must give one step of output at least; an exported file cannot check that.
        """
        (b, c, t), hop = x_bct.shape, self.hop
        steps = t + sum(self.padding) - self.taps + 1
        n = (steps + hop - 1) // hop
        size = (n + 1) * hop  # hops of all blocks, each the second half of one and the first half of the next
        x_cbt = functional.pad(x_bct, (self.padding[0], size - self.padding[0] - t)).transpose(0, 1)
        # As a transpose of two axes, which onnxruntime does several times faster than one of four.
        hops = x_cbt.reshape(c * b * (n + 1), hop).t().reshape(hop, c * b, n + 1)
        x_scm = torch.cat([hops[..., :-1], hops[..., 1:]])
        y_fgom = self._spectra() @ self._by_group(self._forward_transform(x_scm.reshape(2 * hop, c, b * n)))
        y_som = self._inverse_transform(y_fgom)
        o = y_som.shape[1]
        y_obt = y_som.reshape(hop, o * b * n).t().reshape(o, b, n * hop)[..., :steps]
        y_bot = y_obt.transpose(0, 1)
        return y_bot if self.bias is None else y_bot + self.bias

    def _spectra(self) -> Tensor:
        """[[R, I], [-I, R]] of the kernels: (f, g, 2 o/g, 2 c/g)."""
        kernels = functional.pad(self.kernels_soc, (0, 0, 0, 0, 0, self.hop - self.taps))
        w_fzoc = self._forward_transform(kernels)
        real, imaginary = w_fzoc.unflatten(2, (self.groups, -1)).unbind(1)
        upper, lower = torch.cat([real, imaginary], -1), torch.cat([-imaginary, real], -1)
        return torch.cat([upper, lower], 2)

    def _forward_transform(self, x_scm: Tensor) -> Tensor:
        """(s, c, m) -> (f, 2, c, m); s is a block, or its first half, the rest being zeros."""
        s, c, m = x_scm.shape
        x = self.first[:, : s // self.columns] @ x_scm.reshape(s // self.columns, self.columns * c * m)
        x = self.second @ x.reshape(self.rows + 1, 2 * self.columns, c * m)
        return x.reshape((self.rows + 1) * self.columns, 2, c, m)

    def _inverse_transform(self, y_fgom: Tensor) -> Tensor:
        """(f, g, 2 o/g, m) -> (hop, o, m): the first half of every block."""
        _, g, twice, m = y_fgom.shape
        o = g * twice // 2
        if g > 1:
            y_fgom = y_fgom.unflatten(2, (2, -1)).transpose(1, 2)
        y = self.second.transpose(1, 2) @ y_fgom.reshape(self.rows + 1, 2 * self.columns, o * m)
        y = self.last @ y.reshape(2 * (self.rows + 1), self.columns * o * m)
        return y.reshape(self.hop, o, m)

    def _by_group(self, x_fzcm: Tensor) -> Tensor:
        """(f, 2, c, m) -> (f, g, 2 c/g, m)."""
        f, _, c, m = x_fzcm.shape
        if self.groups > 1:
            x_fzcm = x_fzcm.unflatten(2, (self.groups, -1)).transpose(1, 2)
        return x_fzcm.reshape(f, self.groups, 2 * c // self.groups, m)


def replace_long_convolutions(network: nn.Module) -> None:
    """Put ``OnnxLongConv`` in the place of every ``LongConv1d`` inside, in place."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, LongConv1d):
                setattr(module, name, OnnxLongConv(child))


def mark_long_convolutions(graph_model: Any) -> None:
    """Names by which ``long_convolution_nodes`` knows the nodes again, in an exporter's model (onnx_ir)."""
    for node in graph_model.graph.all_nodes():
        if OnnxLongConv.__name__ in node.metadata_props.get(_CLASSES, ""):
            node.name = f"{_PREFIX}{node.name}"


def long_convolution_nodes(model: Any) -> list[str]:
    """Names of the nodes of all long convolutions in a file (onnx.ModelProto): 8 bits would ruin a transform."""
    return [node.name for node in model.graph.node if node.name.startswith(_PREFIX)]


def _transforms(rows: int, columns: int) -> tuple[Tensor, Tensor, Tensor]:
    """The transform's two matrices and the inverse's last one, computed in float64, given as float32.

    first:  ((k z), n1); its real and imaginary parts
    second: (k, (k2 z), (z n2)); transposed it is the inverse's first step
    last:   (n1 of the first half, (k z)); k between 0 and rows counts twice, for its mirror image
    """
    size = 2 * rows * columns
    k1, k2, n1, n2 = (torch.arange(length) for length in (rows + 1, columns, 2 * rows, columns))
    angle_kn = (k1[:, None] * n1 % (2 * rows)).double() * (tau / (2 * rows))
    first_kzn = torch.stack([angle_kn.cos(), -angle_kn.sin()], 1)

    angle = ((k1[:, None, None] + 2 * rows * k2[:, None]) * n2 % size).double() * (tau / size)
    cosine, sine = angle.cos(), angle.sin()
    second = torch.stack([torch.cat([cosine, sine], -1), torch.cat([-sine, cosine], -1)], 2)

    times = torch.full((rows + 1, 1, 1), 2.0, dtype=torch.float64)
    times[0] = times[-1] = 1
    last_kzn = first_kzn[..., :rows] * times / size
    return (
        first_kzn.flatten(0, 1).float(),
        second.flatten(1, 2).float(),
        last_kzn.flatten(0, 1).t().float().contiguous(),
    )

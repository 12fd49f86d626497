"""The pooled convolution against PyTorch's two layers and against loops: values, gradients, pieces, ties, types."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from affuse.encoders import pooled_conv
from affuse.encoders.pooled_conv import pooled_conv1d


def made(
    clips: int, samples: int, filters: int, taps: int, dtype: torch.dtype = torch.float64
) -> list[Tensor]:
    generator = torch.Generator().manual_seed(clips * samples + taps)
    shapes = (clips, samples), (filters, 1, taps), (filters,)
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
        for shape in shapes
    ]


def by_layers(x: Tensor, weight: Tensor, bias: Tensor | None, pool: int) -> Tensor:
    return functional.max_pool1d(functional.conv1d(x[:, None], weight, bias), pool)


@pytest.mark.parametrize("outputs_at_once", [1, 200, 1 << 20])  # many pieces, some, as few as there can be
@pytest.mark.parametrize(
    ("clips", "samples", "filters", "taps", "pool"),
    [(1, 100, 3, 7, 5), (3, 101, 2, 8, 1), (2, 163, 5, 40, 40), (5, 90, 1, 3, 2), (1, 9, 2, 9, 1), (4, 17, 3, 1, 16)],
)  # fmt: skip
def test_equals_two_layers_with_all_gradients(
    monkeypatch: pytest.MonkeyPatch,
    outputs_at_once: int,
    clips: int,
    samples: int,
    filters: int,
    taps: int,
    pool: int,
) -> None:
    monkeypatch.setattr(pooled_conv, "OUTPUTS_AT_ONCE", outputs_at_once)
    x, weight, bias = made(clips, samples, filters, taps)
    ours, theirs = pooled_conv1d(x, weight, bias, pool), by_layers(x, weight, bias, pool)
    assert ours.shape == theirs.shape == (clips, filters, (samples - taps + 1) // pool)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    d = torch.randn_like(theirs)
    for one, other in zip(
        torch.autograd.grad(ours, (x, weight, bias), d),
        torch.autograd.grad(theirs, (x, weight, bias), d),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


def test_the_gradients_by_loops() -> None:
    """Each output's gradient goes to the one window that was largest."""
    x, weight, bias = made(2, 47, 3, 6)
    pool, taps = 5, 6
    y = pooled_conv1d(x, weight, bias, pool)
    d = torch.randn_like(y)
    dx, dw, db = torch.zeros_like(x), torch.zeros_like(weight), torch.zeros_like(bias)
    with torch.no_grad():
        for b in range(2):
            for c in range(3):
                for t in range(y.shape[2]):
                    outputs = [
                        float(weight[c, 0] @ x[b, o : o + taps]) for o in range(t * pool, (t + 1) * pool)
                    ]
                    first = t * pool + outputs.index(max(outputs))
                    assert float(y[b, c, t]) == pytest.approx(max(outputs) + float(bias[c]), abs=1e-12)
                    dw[c, 0] += d[b, c, t] * x[b, first : first + taps]
                    dx[b, first : first + taps] += d[b, c, t] * weight[c, 0]
                    db[c] += d[b, c, t]
    for one, other in zip(torch.autograd.grad(y, (x, weight, bias), d), (dx, dw, db), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_single_precision_at_the_size_of_a_training_step() -> None:
    """The gradient is a sum of some thousand windows, one after another: its rounding stays small."""
    x, weight, bias = made(4, 4000 + 39, 8, 40, torch.float32)
    ours = pooled_conv1d(x, weight, bias, 20)
    d = torch.randn_like(ours)
    got = torch.autograd.grad(ours, (weight, bias), d)
    doubles = [part.detach().double().requires_grad_() for part in (x, weight, bias)]
    wanted = torch.autograd.grad(by_layers(*doubles, 20), doubles[1:], d.double())
    for one, other in zip(got, wanted, strict=True):
        assert (one - other).abs().max() < 1e-5 * other.abs().max()


def test_of_equal_outputs_the_first_is_the_largest() -> None:
    """Silence: every output is zero, and PyTorch's pooling says which one gets the gradient."""
    x = torch.zeros(2, 60, dtype=torch.float64)
    x[1, 30] = 1.0
    _, weight, bias = made(2, 60, 3, 5)
    d = torch.randn(2, 3, 7, dtype=torch.float64)
    ours = torch.autograd.grad(pooled_conv1d(x, weight, bias, 8), (weight, bias), d)
    theirs = torch.autograd.grad(by_layers(x, weight, bias, 8), (weight, bias), d)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_only_what_needs_a_gradient_gets_one() -> None:
    x, weight, bias = made(2, 50, 3, 5)
    frozen = pooled_conv1d(x, weight.detach(), bias.detach(), 4)
    (dx,) = torch.autograd.grad(frozen.sum(), x)
    torch.testing.assert_close(
        dx, torch.autograd.grad(by_layers(x, weight, None, 4).sum(), x)[0], rtol=1e-12, atol=1e-12
    )
    with torch.no_grad():
        assert not pooled_conv1d(x, weight, None, 4).requires_grad


@pytest.mark.parametrize("bias", [True, False])
def test_autocast_gives_float32_gradients(bias: bool) -> None:
    x, weight, shift = made(3, 240, 4, 9, torch.float32)
    given = shift if bias else None
    with torch.autocast("cpu", torch.bfloat16):
        ours = pooled_conv1d(x, weight, given, 8)
        (ours.float().square().sum()).backward()
    assert weight.grad is not None
    assert weight.grad.dtype == torch.float32
    wanted = torch.autograd.grad(by_layers(x, weight, given, 8).square().sum(), weight)[0]
    assert (weight.grad - wanted).abs().max() < 0.05 * wanted.abs().max()


def test_not_a_number_is_not_hidden() -> None:
    x, weight, bias = made(2, 64, 3, 5)
    with torch.no_grad():
        x[1, 20] = torch.nan
        y = pooled_conv1d(x, weight, bias, 4)
    assert y[0].isfinite().all()
    assert y[1].isnan().any()

"""LongConv1d against conv1d, which it must equal to rounding, values and gradients."""

import copy
import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from affuse.encoders import overlap_save
from affuse.encoders.long_conv import LongConv1d, choose_block, long_conv1d
from affuse.errors import AffuseError

# batch, channels in, channels out, samples, kernel, (left, right), groups
SHAPES = {
    "several blocks": (2, 3, 5, 4000, 257, (128, 128), 1),
    "odd sizes": (3, 3, 7, 997, 101, (50, 50), 1),
    "batch 1": (1, 4, 4, 600, 64, (32, 31), 1),
    "groups": (2, 6, 9, 700, 50, (25, 24), 3),
    "depthwise": (2, 4, 4, 300, 33, (16, 16), 4),
    "shorter than the kernel": (2, 3, 2, 40, 100, (50, 49), 1),
    "one output step": (2, 3, 2, 60, 100, (20, 20), 1),
    "kernel 1": (2, 3, 4, 50, 1, (0, 0), 1),
    "kernel 2": (2, 3, 4, 51, 2, (0, 1), 1),
    "asymmetric": (2, 3, 4, 500, 90, (3, 71), 1),
    "no padding": (2, 3, 4, 500, 90, (0, 0), 1),
    "padding longer than the kernel": (2, 2, 2, 30, 5, (100, 90), 1),
    "one sample": (1, 1, 1, 1, 1, (0, 0), 1),
    "the paper's shape, thinner": (2, 4, 4, 9000, 4000, (2000, 1999), 1),
}


def make(shape: tuple[Any, ...], dtype: Any = torch.float32, seed: int = 0):
    batch, ins, outs, samples, kernel, padding, groups = shape
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, ins, samples, generator=g, dtype=dtype)
    weight = torch.randn(outs, ins // groups, kernel, generator=g, dtype=dtype) / kernel**0.5
    bias = torch.randn(outs, generator=g, dtype=dtype)
    return [tensor.requires_grad_() for tensor in (x, weight, bias)], padding, groups


def direct(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, padding: tuple[int, int], groups: int
):
    return functional.conv1d(functional.pad(x, padding), weight, bias, groups=groups)


def gradients(
    y: torch.Tensor,
    inputs: list[torch.Tensor] | tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    seed: int = 1,
):
    d = torch.randn(y.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.autograd.grad(y, inputs, d.to(y.dtype))


def assert_same(actual: torch.Tensor, expected: torch.Tensor, rounding: float):
    """Largest error over largest value: an FFT rounds relative to the whole, not to each number."""
    assert actual.shape == expected.shape
    error = (actual.double() - expected.double()).abs().max() / expected.abs().max().clamp_min(1e-30)
    assert error < rounding, f"relative error {error:.1e}"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_equals_conv1d_with_all_gradients(shape: tuple[Any, ...], dtype: Any) -> None:
    inputs, padding, groups = make(shape, dtype)
    y = long_conv1d(*inputs, padding, groups)
    exact = [tensor.detach().double().requires_grad_() for tensor in inputs]
    y_exact = direct(*exact, padding, groups)
    rounding = 3e-6 if dtype == torch.float32 else 1e-13
    assert y.dtype == dtype
    assert_same(y, y_exact, rounding)
    for ours, theirs in zip(gradients(y, inputs), gradients(y_exact, exact), strict=True):
        assert ours.dtype == dtype
        assert_same(ours, theirs, rounding)


def test_as_accurate_as_conv1d_in_float32() -> None:
    inputs, padding, groups = make(SHAPES["the paper's shape, thinner"])
    exact = direct(*[tensor.double() for tensor in inputs], padding, groups)
    ours = (long_conv1d(*inputs, padding, groups) - exact).square().mean().sqrt()
    theirs = (direct(*inputs, padding, groups) - exact).square().mean().sqrt()
    assert ours < 3 * theirs


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_equals_conv1d_for_any_sizes(data: Any) -> None:
    def draw(low: Any, high: Any):
        return data.draw(st.integers(low, high))

    groups, kernel, samples = draw(1, 3), draw(1, 60), draw(1, 150)
    left, right = draw(0, 70), draw(0, 70)
    if samples + left + right < kernel:
        right += kernel
    shape = (draw(1, 3), groups * draw(1, 2), groups * draw(1, 2), samples, kernel, (left, right), groups)
    inputs, padding, groups = make(shape, torch.float64, seed=draw(0, 9))
    module = LongConv1d(shape[1], shape[2], kernel, padding, groups, block=kernel + draw(0, 40)).double()
    module.load_state_dict({"weight": inputs[1], "bias": inputs[2]})
    y, y_exact = module(inputs[0]), direct(*inputs, padding, groups)
    assert_same(y, y_exact, 1e-12)
    ours = gradients(y, (inputs[0], module.weight, module.bias))
    for mine, theirs in zip(ours, gradients(y_exact, inputs), strict=True):
        assert_same(mine, theirs, 1e-12)


@pytest.mark.parametrize("groups", [1, 2])
def test_gradcheck(groups: int) -> None:
    inputs, padding, groups = make((1, groups, 2 * groups, 7, 3, (2, 1), groups), torch.float64)
    assert torch.autograd.gradcheck(lambda *t: long_conv1d(*t, padding, groups), inputs)


def test_second_derivative_is_refused() -> None:
    inputs, padding, groups = make((1, 1, 1, 9, 3, (1, 1), 1), torch.float64)
    y = long_conv1d(*inputs, padding, groups)
    (dx,) = torch.autograd.grad(y.square().sum(), inputs[:1], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        dx.sum().backward()


@pytest.mark.parametrize("tile_kib", [1, 8, 64])
def test_tiles_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch, tile_kib: int) -> None:
    """1 KiB holds less than one block: every block of every clip is then a tile of its own."""
    monkeypatch.setitem(overlap_save.TILE_BYTES, "cpu", tile_kib << 10)
    monkeypatch.setitem(overlap_save.CHUNK_BYTES, "cpu", tile_kib << 10)
    inputs, padding, groups = make((5, 4, 6, 1500, 60, (30, 29), 2), torch.float64)
    y, y_exact = long_conv1d(*inputs, padding, groups), direct(*inputs, padding, groups)
    assert_same(y, y_exact, 1e-13)
    for ours, theirs in zip(gradients(y, inputs), gradients(y_exact, inputs), strict=True):
        assert_same(ours, theirs, 1e-13)


@pytest.mark.parametrize("wanted", [(True, False, False), (False, True, False), (False, False, True)])
def test_only_the_gradients_asked_for(wanted: tuple[bool, bool, bool]) -> None:
    inputs, padding, groups = make(SHAPES["groups"], torch.float64)
    for tensor, want in zip(inputs, wanted, strict=True):
        tensor.requires_grad_(want)
    chosen = [tensor for tensor in inputs if tensor.requires_grad]
    ours = gradients(long_conv1d(*inputs, padding, groups), chosen)
    theirs = gradients(direct(*inputs, padding, groups), chosen)
    assert_same(ours[0], theirs[0], 1e-13)


def test_non_contiguous_inputs() -> None:
    (x, weight, bias), padding, groups = make((3, 4, 5, 600, 40, (20, 19), 1), torch.float64)
    turned = x.detach().permute(2, 1, 0).contiguous().permute(2, 1, 0)[:, :, ::2]
    spread = torch.stack([weight.detach()] * 2, dim=-1)[..., 0]
    assert not turned.is_contiguous()
    assert not spread.is_contiguous()
    turned.requires_grad_()
    spread.requires_grad_()
    both = [f(turned, spread, bias, padding, groups) for f in (long_conv1d, direct)]
    assert_same(*both, 1e-13)
    # sum() hands back an expanded gradient, of stride 0
    ours, theirs = (torch.autograd.grad(y.sum(), (turned, spread)) for y in both)
    for mine, his in zip(ours, theirs, strict=True):
        assert_same(mine, his, 1e-13)


def test_no_bias_and_no_clips() -> None:
    (x, weight, _), padding, groups = make(SHAPES["asymmetric"], torch.float64)
    assert_same(long_conv1d(x, weight, None, padding), direct(x, weight, None, padding, groups), 1e-13)
    empty = long_conv1d(x[:0], weight, None, padding)
    assert empty.shape == direct(x[:0], weight, None, padding, groups).shape
    empty.sum().backward()
    assert weight.grad is not None
    assert not weight.grad.any()


def test_float32_arithmetic_under_bfloat16_autocast() -> None:
    inputs, padding, groups = make(SHAPES["several blocks"])
    plain = long_conv1d(*inputs, padding, groups)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = long_conv1d(*inputs, padding, groups)
        half_x = long_conv1d(inputs[0].bfloat16(), *inputs[1:], padding, groups)
    assert under.dtype == half_x.dtype == torch.float32
    assert torch.equal(plain, under)
    for ours, theirs in zip(gradients(under, inputs), gradients(plain, inputs), strict=True):
        assert torch.equal(ours, theirs)
    assert_same(half_x, direct(inputs[0].bfloat16().float(), *inputs[1:], padding, groups), 3e-6)


def test_bfloat16_weights_are_computed_in_float32_and_rounded_once() -> None:
    inputs, padding, groups = make(SHAPES["odd sizes"])
    small = [tensor.detach().bfloat16().requires_grad_() for tensor in inputs]
    y = long_conv1d(*small, padding, groups)
    assert y.dtype == torch.bfloat16
    assert_same(y, direct(*[tensor.float() for tensor in small], padding, groups), 1 / 256)
    assert {grad.dtype for grad in gradients(y, small)} == {torch.bfloat16}


# The module


def module_and_clip(**options: int):
    torch.manual_seed(0)
    return LongConv1d(3, 4, 50, (25, 24), **options), torch.randn(2, 3, 400)


@pytest.fixture
def spectra_made(monkeypatch: pytest.MonkeyPatch):
    """Grows by one each time kernel spectra are made."""
    made = []
    real = overlap_save.kernel_spectra

    def count(weight: Any, block: Any):
        made.append(block)
        return real(weight, block)

    monkeypatch.setattr("affuse.encoders.long_conv.kernel_spectra", count)
    return made


def test_same_state_and_initialisation_as_conv1d() -> None:
    torch.manual_seed(3)
    ours = LongConv1d(6, 4, 50, groups=2).state_dict()
    torch.manual_seed(3)
    theirs = nn.Conv1d(6, 4, 50, groups=2).state_dict()
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        assert torch.equal(value, ours[name])
    assert list(LongConv1d(6, 4, 50, bias=False).state_dict()) == ["weight"]


def test_state_dicts_go_both_ways_and_refresh_the_spectra() -> None:
    module, x = module_and_clip()
    before = module.eval()(x)
    conv = nn.Conv1d(3, 4, 50)
    module.load_state_dict(conv.state_dict())
    after = module(x)
    assert_same(after, conv(functional.pad(x, (25, 24))), 3e-6)
    assert not torch.allclose(before, after)
    conv.load_state_dict(module.state_dict())


OPTIMIZERS = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "foreach": lambda p, lr: torch.optim.AdamW(p, lr=lr, foreach=True),
    "fused": lambda p, lr: torch.optim.AdamW(p, lr=lr, fused=True),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_weight_update_makes_new_spectra(
    optimizer: Callable[..., Any] | type[Any], spectra_made: list[Any]
) -> None:
    module, x = module_and_clip()
    steps = optimizer(module.parameters(), lr=0.1)
    for count in (1, 2, 3):
        module(x).square().mean().backward()
        y = module(x)  # the same weight: nothing is made again
        assert len(spectra_made) == count
        assert_same(y, direct(x, module.weight, module.bias, (25, 24), 1), 3e-6)
        steps.step()


def test_evaluation_keeps_the_spectra_for_all_lengths(spectra_made: list[Any]) -> None:
    module, x = module_and_clip()
    module.eval()
    with torch.no_grad():
        for length in (400, 100, 33, 400):
            module(x[..., :length])
            module(x[:1, :, :length])
    assert len(spectra_made) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda module: module.weight.data.mul_(2),  # leaves the version counter as it was
        lambda module: setattr(module.weight, "data", module.weight.data * 2),
        lambda module: setattr(module, "weight", nn.Parameter(module.weight.detach() * 2)),
        lambda module: module.double().weight.data.mul_(2),
        lambda module: nn.init.normal_(module.weight),
    ],
    ids=["data in place", "data replaced", "parameter replaced", "other type", "initialised again"],
)
def test_any_change_of_the_weight_is_seen(change: Callable[..., Any]) -> None:
    module, x = module_and_clip()
    module.eval()
    with torch.no_grad():
        module(x)
        change(module)
        x = x.to(module.weight.dtype)
        assert_same(module(x), direct(x, module.weight, module.bias, (25, 24), 1), 3e-6)


def test_copies_share_nothing_and_carry_no_spectra() -> None:
    module, x = module_and_clip()
    module.eval()
    with torch.no_grad():
        before = module(x)
        twin = copy.deepcopy(module)
        twin.weight.mul_(2)
        twin.bias.mul_(2)
        assert_same(twin(x), 2 * before, 1e-6)
        assert torch.equal(module(x), before)
    empty, full = io.BytesIO(), io.BytesIO()
    torch.save(LongConv1d(3, 4, 50), empty)
    torch.save(module, full)
    assert full.tell() < 1.1 * empty.tell()


def test_gradients_accumulate_over_batches_and_survive_an_update_in_between() -> None:
    module, x = module_and_clip()
    conv = nn.Conv1d(3, 4, 50)
    conv.load_state_dict(module.state_dict())
    losses = [module(part).square().sum() for part in x.split(1)]
    with torch.no_grad():
        module.weight.add_(1.0)  # backward uses the spectra of its own forward
    for loss in losses:
        loss.backward()
    conv(functional.pad(x, (25, 24))).square().sum().backward()
    assert_same(module.weight.grad, conv.weight.grad, 3e-6)


def test_block_may_be_given_and_is_checked() -> None:
    module, x = module_and_clip(block=128)
    assert_same(module(x), direct(x, module.weight, module.bias, (25, 24), 1), 3e-6)
    with pytest.raises(AffuseError, match="shorter than the kernel"):
        LongConv1d(3, 4, 50, block=49)


def test_export_sees_one_plain_convolution() -> None:
    module, x = module_and_clip()
    graph = torch.export.export(module.eval(), (x,))
    assert "conv1d" in graph.graph_module.code
    assert "fft" not in graph.graph_module.code
    assert_same(graph.module()(x), module(x), 3e-6)


@pytest.mark.parametrize(
    ("x", "weight", "options", "message"),
    [
        ((2, 3, 10), (4, 2, 3), {}, "do not fit"),
        ((2, 3, 10), (4, 1, 3), {"groups": 3}, "do not fit"),
        ((3, 10), (4, 3, 3), {}, "3 dimensions"),
        ((2, 3, 10), (4, 3, 20), {"padding": (4, 5)}, "shorter than the kernel"),
        ((2, 3, 10), (4, 3, 3), {"padding": (-1, 0)}, "must not be negative"),
        ((2, 3, 10), (4, 3, 3), {"bias": torch.zeros(3)}, "bias has the shape"),
    ],
)
def test_shapes_that_do_not_fit(
    x: tuple[Any, ...], weight: tuple[int, int, int], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(AffuseError, match=message):
        long_conv1d(torch.zeros(x), torch.zeros(weight), **options)


@given(
    kernel=st.integers(1, 5000),
    clips=st.integers(1, 64),
    steps=st.integers(1, 100_000),
    groups=st.integers(1, 2),
)
def test_blocks_are_smooth_and_hold_the_kernel(kernel: Any, clips: Any, steps: Any, groups: Any) -> None:
    for block in (choose_block((4, 4, kernel), groups), choose_block((4, 4, kernel), groups, clips, steps)):
        assert block >= kernel
        for prime in (2, 3, 5, 7):
            while block % prime == 0:
                block //= prime
        assert block == 1


def test_import_needs_only_torch() -> None:
    """The benchmark runs on machines that have torch and nothing else of affuse's."""
    code = (
        "import sys; from affuse.encoders.long_conv import LongConv1d; "
        "print([m for m in ('pandas', 'pydantic', 'av', 'transformers', 'soundfile') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

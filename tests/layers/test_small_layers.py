"""The small layers with stacked parameters against torch's, run by run; odd widths included."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from affuse.layers import Dropout, LayerNorm, Linear, StepConvolution, linear, per_run, pick_rows
from affuse.layers.products import aligned, bmm
from stacks import draw_from, gradients, stack


def passed(module: nn.Module, x: Tensor) -> dict[str, Tensor]:
    x = x.detach().clone().requires_grad_()
    y = module(x)
    (y * y.detach().cos()).sum().backward()
    assert x.grad is not None
    return {"output": y.detach(), "of x": x.grad} | gradients(module)


def check(theirs: list[Any], together: nn.Module, x: Tensor) -> None:
    found = passed(together, x)
    for i, module in enumerate(theirs):
        expected = passed(module, x[i])
        assert set(found) == set(expected)
        for name, wanted in expected.items():
            torch.testing.assert_close(found[name][i], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 8), (5, 7), (1, 1), (3, 2, 7)])
def test_linear(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    theirs = [nn.Linear(shape[-1], 3, bias) for _ in range(3)]
    ours = [Linear(shape[-1], 3, bias) for _ in range(3)]
    for one, other in zip(ours, theirs, strict=True):
        one.load_state_dict(other.state_dict())
    check(theirs, stack(ours), torch.randn(3, *shape))
    check(theirs[:1], stack(ours[:1]), torch.randn(1, *shape))


def test_linear_computes_no_gradient_that_nobody_wants() -> None:
    x, weight = torch.randn(2, 3, 4), torch.randn(2, 5, 4, requires_grad=True)
    linear(x, weight).sum().backward()
    assert x.grad is None
    torch.testing.assert_close(weight.grad, x.sum(1, keepdim=True).expand(2, 5, 4))
    assert linear(x, weight.detach()).grad_fn is None


def test_layer_norm() -> None:
    torch.manual_seed(0)
    theirs = [nn.LayerNorm(6) for _ in range(3)]
    ours = [LayerNorm(6) for _ in range(3)]
    for one, other in zip(ours, theirs, strict=True):
        nn.init.normal_(other.weight)
        nn.init.normal_(other.bias)
        one.load_state_dict(other.state_dict())
    check(theirs, stack(ours), torch.randn(3, 4, 5, 6))


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_convolution(kernel: int) -> None:
    torch.manual_seed(0)

    class Turned(nn.Conv1d):
        def forward(self, input: Tensor) -> Tensor:
            return super().forward(input.transpose(1, 2)).transpose(1, 2)

    theirs = [Turned(6, 4, kernel, padding="same", bias=False) for _ in range(3)]
    torch.manual_seed(0)
    ours = [StepConvolution(6, 4, kernel) for _ in range(3)]
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one.weight, other.weight)
    assert list(ours[0].state_dict()) == list(theirs[0].state_dict())
    check(theirs, stack(ours), torch.randn(3, 2, 7, 6))
    alone = passed(ours[0], torch.ones(2, 7, 6))
    for name, wanted in passed(theirs[0], torch.ones(2, 7, 6)).items():
        torch.testing.assert_close(alone[name], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("turned", [False, True])
def test_dropout_draws_what_the_run_draws_alone(turned: bool) -> None:
    """Whatever the order in which values lie in memory."""
    rates, seeds = (0.5, 0.0, 0.2), (7, 8, 9)
    together = stack([Dropout(rate).train() for rate in rates])
    draw_from(together, seeds)
    x = torch.rand(3, 4, 5, 6) + 1
    x = x.transpose(2, 3).contiguous().transpose(2, 3) if turned else x
    found = [together(x), together(x)]
    for i, (rate, seed) in enumerate(zip(rates, seeds, strict=True)):
        alone = Dropout(rate).train()
        draw_from(alone, [seed])
        for one in found:
            assert torch.equal(one[i], alone(x[i].contiguous()))
    assert not torch.equal(found[0], found[1])
    assert together.eval()(x) is x


def test_pick_rows_and_per_run() -> None:
    torch.manual_seed(0)
    tables, index = torch.randn(3, 4, 5), torch.randint(0, 4, (3, 6))
    weights = torch.randn(3, 6, 5)
    grads = []
    for stacked in (True, False):
        table = tables.clone().requires_grad_()
        rows = (
            pick_rows(table, index)
            if stacked
            else torch.stack([pick_rows(t, i) for t, i in zip(table, index, strict=True)])
        )
        (rows * weights).sum().backward()
        grads.append(table.grad)
        assert torch.equal(rows, torch.stack([t[i] for t, i in zip(tables, index, strict=True)]))
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-6, atol=1e-6)
    assert per_run(tables[0], 4).shape == (4, 1, 1, 5)
    assert per_run(tables[0, 0], 4).shape == (5,)


def test_products_by_einsum() -> None:
    torch.manual_seed(0)
    for runs, n, j, k in ((1, 3, 4, 5), (3, 3, 4, 1), (1, 3, 4, 1), (2, 1, 7, 2)):
        a, b, bias = torch.randn(runs, n, j), torch.randn(runs, j, k), torch.randn(runs, k)
        expected = torch.einsum("snj,sjk->snk", a.double(), b.double())
        torch.testing.assert_close(bmm(a, b).double(), expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(bmm(a, b, bias).double(), expected + bias[:, None], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("width", "expected"), [(1, 4), (4, 4), (13, 16), (33, 36)])
def test_aligned_adds_zeros(width: int, expected: int) -> None:
    found = aligned(torch.ones(2, 3, width))
    assert found.shape == (2, 3, expected)
    assert (found[..., :width] == 1).all()
    assert (found[..., width:] == 0).all()

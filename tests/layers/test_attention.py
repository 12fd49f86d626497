"""Multi-head attention and the encoder layer against torch's own, with the same parameters and the same seeds."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from affuse.layers import EncoderLayer, Linear, MultiheadAttention
from stacks import draw_from, gradients, stack

WIDTH, HEADS, STEPS, BATCH = 12, 3, 5, 4
SEEDS = (5, 6, 7)


class Kind(NamedTuple):
    """A module of torch's and ours, made with a rate of dropout."""

    theirs: Callable[[float], nn.Module]
    ours: Callable[[float], nn.Module]
    crossed: bool = False


def attention_of_torch(rate: float) -> nn.Module:
    return nn.MultiheadAttention(WIDTH, HEADS, rate, batch_first=True)


def layer_of_torch(rate: float) -> nn.Module:
    return nn.TransformerEncoderLayer(
        WIDTH, HEADS, 2 * WIDTH, rate, activation="gelu", batch_first=True, norm_first=True
    )


def attention(rate: float) -> nn.Module:
    return MultiheadAttention(WIDTH, HEADS, rate)


def layer(rate: float) -> nn.Module:
    return EncoderLayer(WIDTH, HEADS, 2 * WIDTH, rate)


KINDS = [
    Kind(attention_of_torch, attention),
    Kind(attention_of_torch, attention, crossed=True),
    Kind(layer_of_torch, layer),
]


class Inputs(NamedTuple):
    """Of one network, or with the runs in front; ``weights`` make a scalar of the output."""

    steps: Tensor
    keys: Tensor
    hidden: Tensor
    weights: Tensor


def inputs(seed: int, crossed: bool) -> Inputs:
    torch.manual_seed(seed)
    steps = torch.randn(BATCH, STEPS, WIDTH)
    keys = torch.randn(BATCH, STEPS + 2, WIDTH) if crossed else steps
    hidden = torch.arange(keys.shape[1]) >= torch.randint(1, keys.shape[1] + 1, (BATCH, 1))
    return Inputs(steps, keys, hidden, torch.randn(BATCH, STEPS, WIDTH))


def stacked_inputs(parts: list[Inputs], crossed: bool) -> Inputs:
    steps, keys, hidden, weights = (torch.stack(tensors) for tensors in zip(*parts, strict=True))
    return Inputs(steps, keys if crossed else steps, hidden, weights)


def output(module: Any, given: Inputs) -> Tensor:
    steps, keys, hidden, _ = given
    if isinstance(module, nn.MultiheadAttention):
        return module(steps, keys, keys, key_padding_mask=hidden, need_weights=False)[0]
    if isinstance(module, nn.TransformerEncoderLayer):
        return module(steps, src_key_padding_mask=hidden)
    return module(steps, keys, hidden) if isinstance(module, MultiheadAttention) else module(steps, hidden)


def pass_through(module: nn.Module, given: Inputs) -> dict[str, Tensor]:
    """Output and gradients, those of the inputs too."""
    free = {"of steps": given.steps.clone().requires_grad_()}
    free["of keys"] = free["of steps"]
    if given.keys is not given.steps:
        free["of keys"] = given.keys.clone().requires_grad_()
    found = output(module, Inputs(free["of steps"], free["of keys"], given.hidden, given.weights))
    (found * given.weights).sum().backward()
    grads = {name: tensor.grad for name, tensor in free.items() if tensor.grad is not None}
    return {"output": found.detach()} | grads | gradients(module)


def pair(kind: Kind, rate: float, seed: int, train: bool) -> tuple[nn.Module, nn.Module]:
    """Both with the same parameters, biases and norms away from the 0 and 1 at which a mistake would not show."""
    torch.manual_seed(seed)
    theirs, ours = kind.theirs(rate).train(train), kind.ours(rate).train(train)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.4)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def compare(found: dict[str, Tensor], expected: dict[str, Tensor], **tolerance: float) -> None:
    assert set(found) == set(expected)
    for name, wanted in expected.items():
        torch.testing.assert_close(found[name], wanted, **tolerance, msg=lambda text, n=name: f"{n}: {text}")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[2]])
def test_a_seed_gives_torchs_initial_parameters(kind: Kind) -> None:
    states = []
    for make in (kind.theirs, kind.ours):
        torch.manual_seed(3)
        states.append(make(0.1).state_dict() | {"next draw": torch.rand(2)})
    assert list(states[0]) == list(states[1])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_torch_dropout_included(kind: Kind, train: bool) -> None:
    given = inputs(1, kind.crossed)
    found = []
    for module in pair(kind, 0.4, 2, train):
        torch.manual_seed(9)
        found.append(pass_through(module, given) | {"next draw": torch.rand(2)})
    compare(found[1], found[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rates", [(0.0, 0.0, 0.0), (0.4, 0.0, 0.2)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_equals_its_runs(kind: Kind, rates: tuple[float, ...]) -> None:
    """Torch's module where nothing is dropped, else ours with the stream of the run."""
    pairs = [pair(kind, rate, 20 + i, train=True) for i, rate in enumerate(rates)]
    parts = [inputs(30 + i, kind.crossed) for i in range(3)]
    together = stack([ours for _, ours in pairs])
    draw_from(together, SEEDS)
    found = pass_through(together, stacked_inputs(parts, kind.crossed))
    for i, ((theirs, ours), given, seed) in enumerate(zip(pairs, parts, SEEDS, strict=True)):
        draw_from(ours, [seed])
        expected = pass_through(theirs if rates[i] == 0 else ours, given)
        compare({n: t[i] for n, t in found.items()}, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("outputs", [6, 40])
@pytest.mark.parametrize("train", [True, False])
def test_a_linear_layer_that_follows(outputs: int, train: bool) -> None:
    """The product of both matrices first, or one after the other: the same values and gradients, in a stack too."""
    nets = []
    for i in range(2):
        _, ours = pair(KINDS[0], 0.3, 40 + i, train)
        nets.append(nn.ModuleDict({"attention": ours, "then": Linear(WIDTH, outputs)}))
    together = stack(nets)
    parts = [inputs(50 + i, crossed=False) for i in range(2)]
    all_steps, _, all_hidden, _ = stacked_inputs(parts, crossed=False)
    draw_from(together, SEEDS[:2])
    found = together["attention"](all_steps, all_steps, all_hidden, together["then"])
    assert found.shape == (2, BATCH, STEPS, outputs)
    found.square().sum().backward()
    grads = gradients(together)
    for i, (net, given) in enumerate(zip(nets, parts, strict=True)):
        draw_from(net, [SEEDS[i]])
        expected = net["then"](output(net["attention"], given))
        torch.testing.assert_close(found[i], expected, rtol=1e-4, atol=1e-5)
        expected.square().sum().backward()
        compare({n: g[i] for n, g in grads.items()}, gradients(net), rtol=1e-4, atol=1e-4)
        draw_from(net, [SEEDS[i]])
        alone = net["attention"](given.steps, given.steps, given.hidden, net["then"])
        torch.testing.assert_close(alone, expected, rtol=1e-4, atol=1e-5)


def test_bfloat16_is_as_good_as_torchs() -> None:
    theirs, ours = pair(KINDS[0], 0.0, 1, train=True)
    given = inputs(2, crossed=False)
    exact = output(theirs, given)
    together = stack([ours])
    draw_from(together, [4])
    with torch.autocast("cpu", torch.bfloat16):
        expected = output(theirs, given)
        found = output(together, stacked_inputs([given], crossed=False))[0]
    assert found.dtype == expected.dtype == torch.bfloat16
    assert (found - exact).abs().max() < 1.5 * (expected - exact).abs().max()


def test_a_hidden_step_is_no_key() -> None:
    """In a stack with dropout, too: what stands there changes nothing."""
    _, ours = pair(KINDS[1], 0.4, 1, train=True)
    given = inputs(2, crossed=True)
    together = stack([ours, ours])
    dirty = given.keys.masked_fill(given.hidden[..., None], 1e3)
    found = []
    for keys in (given.keys, dirty):
        draw_from(together, [4, 5])
        found.append(output(together, stacked_inputs([given._replace(keys=keys)] * 2, crossed=True)))
    assert torch.equal(found[0], found[1])


@pytest.mark.parametrize("stacked", [False, True])
def test_gradients_by_finite_differences(stacked: bool) -> None:
    module: nn.Module = MultiheadAttention(4, 2, 0.3).double().train()
    steps, hidden = torch.randn(2, 3, 4).double(), torch.tensor([[False, False, True], [False, False, False]])
    if stacked:
        module, steps, hidden = stack([module, module]), torch.stack([steps, -steps]), hidden.expand(2, 2, 3)

    def forward(given: Tensor) -> Tensor:
        torch.manual_seed(1)
        if stacked:
            draw_from(module, [1, 2])
        return module(given, given, hidden)

    assert torch.autograd.gradcheck(forward, steps.requires_grad_(), fast_mode=True)

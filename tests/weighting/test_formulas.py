"""Each formula again in plain floats; gradients by finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from torchjd import scalarization

from affuse.errors import AffuseError
from affuse.weighting import (
    GeometricWeighting,
    ImtlLWeighting,
    RlwWeighting,
    SoftmaxWeighting,
    StaticWeighting,
    UncertaintyWeighting,
    static_grid,
)

TASKS = ("emotion", "gender", "age")
LOSSES = {"emotion": 1.3, "gender": 0.4, "age": 2.1}


def tensors(losses: dict[str, float] = LOSSES, dtype: Any = torch.float64):
    return {task: torch.tensor(value, dtype=dtype, requires_grad=True) for task, value in losses.items()}


def softmax(values: list[float]):
    exponentials = [math.exp(v - max(values)) for v in values]
    return [e / sum(exponentials) for e in exponentials]


def static(losses: Any, w: list[float]):
    return sum(a * b for a, b in zip(w, losses, strict=True))


def dynamic(losses: Any, logits: Any):
    return static(losses, softmax(logits))


def dynamic_with_entropy(losses: Any, logits: Any):
    w = softmax(logits)
    return static(losses, w) + 0.7 * sum(a * math.log(a) for a in w)


def uncertainty(losses: Any, s: Any):
    return sum(loss / (2 * math.exp(a)) + a / 2 for loss, a in zip(losses, s, strict=True))


def imtl_l(losses: Any, s: Any):
    return sum(math.exp(a) * loss - a for loss, a in zip(losses, s, strict=True))


def geometric(losses: Any, _: Any):
    return math.prod(losses) ** (1 / len(losses))


LEARNT = [0.3, -0.8, 0.1]
CASES = [
    pytest.param(lambda: StaticWeighting(TASKS), static, [1 / 3] * 3, None, id="static"),
    pytest.param(
        lambda: StaticWeighting(TASKS, {"age": 0.5, "emotion": 0.2, "gender": 3}),
        static,
        [0.2, 3, 0.5],
        None,
        id="static given",
    ),
    pytest.param(lambda: SoftmaxWeighting(TASKS), dynamic, LEARNT, "logits", id="softmax"),
    pytest.param(lambda: SoftmaxWeighting(TASKS, 0.7), dynamic_with_entropy, LEARNT, "logits", id="entropy"),
    pytest.param(lambda: UncertaintyWeighting(TASKS), uncertainty, LEARNT, "log_variances", id="uncertainty"),
    pytest.param(lambda: ImtlLWeighting(TASKS), imtl_l, LEARNT, "log_scales", id="imtl_l"),
    pytest.param(lambda: GeometricWeighting(TASKS), geometric, [0.0] * 3, None, id="geometric"),
]


def slopes(function: Callable[..., Any], at: list[float], step: float = 1e-6):
    """Central differences."""
    result = []
    for row in range(len(at)):
        up, down = list(at), list(at)
        up[row] += step
        down[row] -= step
        result.append((function(up) - function(down)) / (2 * step))
    return result


@pytest.mark.parametrize(("make", "formula", "numbers", "learnt"), CASES)
def test_value_and_gradients(
    make: Callable[..., Any], formula: Callable[..., Any], numbers: list[float], learnt: str | None
) -> None:
    weighting = make().double()
    if learnt:
        getattr(weighting, learnt).data = torch.tensor(numbers, dtype=torch.float64)
    losses = tensors()
    joint = weighting(losses)
    joint.backward()
    plain = list(LOSSES.values())
    assert joint.shape == ()
    # the static weights are stored as float32
    assert joint.item() == pytest.approx(formula(plain, numbers), rel=1e-6)
    by_loss = slopes(lambda values: formula(values, numbers), plain)
    assert [loss.grad.item() for loss in losses.values()] == pytest.approx(by_loss, rel=1e-6)
    assert list(weighting.weights()) == list(TASKS)
    assert list(weighting.weights().values()) == pytest.approx(by_loss, rel=1e-6)
    if learnt:
        by_parameter = slopes(lambda values: formula(plain, values), numbers)
        assert getattr(weighting, learnt).grad.tolist() == pytest.approx(by_parameter, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize(("make", "formula", "numbers", "learnt"), CASES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_any_precision(
    make: Callable[..., Any],
    formula: Callable[..., Any],
    numbers: list[float],
    learnt: str | None,
    dtype: Any,
) -> None:
    weighting = make()
    if learnt:
        getattr(weighting, learnt).data = torch.tensor(numbers)
    losses = tensors(dtype=dtype)
    joint = weighting(losses)
    joint.backward()
    rounded = [loss.item() for loss in losses.values()]
    assert joint.dtype in (torch.float32, torch.float64)
    assert joint.item() == pytest.approx(formula(rounded, numbers), rel=1e-5)
    assert all(loss.grad.dtype == dtype for loss in losses.values())


@pytest.mark.parametrize(
    ("ours", "theirs", "mine", "name"),
    [
        (UncertaintyWeighting, scalarization.UW, "log_variances", "log_var"),
        (ImtlLWeighting, scalarization.IMTLL, "log_scales", "log_scale"),
    ],
)
def test_against_torchjd(ours: type[Any], theirs: type[Any], mine: str, name: str) -> None:
    first, second = ours(TASKS), theirs(3)
    getattr(first, mine).data = torch.tensor(LEARNT)
    getattr(second, name).data = torch.tensor(LEARNT)
    losses = tensors(dtype=torch.float32)
    torch.testing.assert_close(first(losses), second(torch.stack(list(losses.values()))))


def test_uncertainty_comes_to_half_the_inverse_loss() -> None:
    weighting = UncertaintyWeighting(TASKS, initial=-0.5).double()
    assert weighting.log_variances.tolist() == [-0.5] * 3
    optimiser = torch.optim.LBFGS(weighting.parameters(), max_iter=100, tolerance_grad=1e-12)

    def closure():
        optimiser.zero_grad()
        joint = weighting({task: loss.detach() for task, loss in tensors().items()})
        joint.backward()
        return joint

    for _ in range(3):
        optimiser.step(closure)
    for task, weight in weighting.weights().items():
        assert weight == pytest.approx(1 / (2 * LOSSES[task]), rel=1e-5)
    assert closure().item() == pytest.approx(sum((1 + math.log(loss)) / 2 for loss in LOSSES.values()))
    # "loss is negative, normal?": yes
    small = weighting({task: torch.tensor(1e-4) for task in TASKS[:1]}).item()
    assert small < weighting({task: torch.tensor(1.3) for task in TASKS[:1]}).item()


def test_imtl_l_scales_every_loss_to_one() -> None:
    weighting = ImtlLWeighting(TASKS).double()
    optimiser = torch.optim.SGD(weighting.parameters(), lr=0.2)
    for _ in range(500):
        optimiser.zero_grad()
        weighting({task: loss.detach() for task, loss in tensors().items()}).backward()
        optimiser.step()
    assert [w * LOSSES[task] for task, w in weighting.weights().items()] == pytest.approx([1, 1, 1], rel=1e-6)


def test_geometric_does_not_care_for_the_unit_of_a_loss() -> None:
    weighting = GeometricWeighting(TASKS)
    plain, scaled = tensors(), tensors({**LOSSES, "age": 2.1 * 64})
    weighting(plain).backward()
    weighting(scaled).backward()
    for task in ("emotion", "gender"):
        assert scaled[task].grad.item() == pytest.approx(4 * plain[task].grad.item())  # 64^(1/3)
    assert scaled["age"].grad.item() == pytest.approx(plain["age"].grad.item() * 4 / 64)


def test_geometric_of_a_solved_task_is_finite() -> None:
    losses = tensors({**LOSSES, "gender": 0.0})
    GeometricWeighting(TASKS)(losses).backward()
    assert all(math.isfinite(loss.grad.item()) for loss in losses.values())


def test_rlw_draws_a_softmax_of_normals() -> None:
    weighting = RlwWeighting(TASKS, seed=5)
    generator = torch.Generator().manual_seed(5)
    seen = []
    for _ in range(4000):
        expected = softmax(torch.randn(3, generator=generator).tolist())
        losses = tensors()
        joint = weighting(losses)
        assert joint.item() == pytest.approx(static(LOSSES.values(), expected), rel=1e-5)
        assert list(weighting.weights().values()) == pytest.approx(expected, rel=1e-5)
        seen.append(list(weighting.weights().values()))
    means = torch.tensor(seen).mean(0)
    torch.testing.assert_close(means, torch.full((3,), 1 / 3), atol=0.015, rtol=0)
    assert torch.tensor(seen).std(0).min() > 0.15


def test_rlw_leaves_the_global_stream_alone() -> None:
    weighting = RlwWeighting(TASKS)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    weighting(tensors())
    assert torch.equal(torch.rand(3), expected)


def test_grid_against_all_products() -> None:
    for count, step in ((1, 0.1), (2, 0.1), (3, 0.1), (3, 0.25), (4, 0.5)):
        names = ["a", "b", "c", "d"][:count]
        parts = round(1 / step)
        expected = [
            tuple(k / parts for k in ks) for ks in product(range(parts + 1), repeat=count) if sum(ks) == parts
        ]
        grid = static_grid(names, step)
        assert [tuple(w.values()) for w in grid] == expected
        assert len(grid) == math.comb(parts + count - 1, count - 1)
    assert static_grid(["emotion", "gender"])[3] == {"emotion": 0.3, "gender": 0.7}


@pytest.mark.parametrize("step", [0, -0.1, 0.3, 1.5, math.nan])
def test_grid_refuses_a_step_that_does_not_divide_one(step: float) -> None:
    with pytest.raises(AffuseError, match="divides 1"):
        static_grid(["emotion", "gender"], step)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"emotion": 1.0}, "one weight for each"),
        ({"emotion": 1.0, "gender": 1.0, "mood": 1.0}, "mood"),
        ({"emotion": -1.0, "gender": 1.0}, "at least 0"),
        ({"emotion": math.nan, "gender": 1.0}, "finite"),
        ({"emotion": 0.0, "gender": 0.0}, "not all 0"),
        ({}, "no task"),
    ],
)
def test_static_refuses(weights: dict[str, float], message: str) -> None:
    with pytest.raises(AffuseError, match=message):
        StaticWeighting(("emotion", "gender"), weights)

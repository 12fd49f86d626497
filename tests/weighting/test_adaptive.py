"""DWA, FAMO and GradNorm step by step in plain loops."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torchjd import scalarization

from affuse.errors import AffuseError
from affuse.weighting import DwaWeighting, FamoWeighting, GradNormWeighting
from weighting.networks import TASKS, Run

THREE = ("emotion", "gender", "age")
EPOCHS = [(2.0, 1.0, 3.0), (1.0, 0.9, 2.9), (0.7, 0.4, 2.0), (0.69, 0.1, 2.2)]


def scalars(values: list[float] | tuple[float, float, float], tasks: tuple[str, str, str] = THREE):
    return {
        task: torch.tensor(v, dtype=torch.float64, requires_grad=True)
        for task, v in zip(tasks, values, strict=True)
    }


def dwa_by_hand(history: list[tuple[float, float, float]], temperature: float):
    if len(history) < 2:
        return [1.0] * len(THREE)
    rates = [a / b for a, b in zip(history[-1], history[-2], strict=True)]
    exponentials = [math.exp(r / temperature) for r in rates]
    return [len(THREE) * e / sum(exponentials) for e in exponentials]


@pytest.mark.parametrize("temperature", [2.0, 0.5])
def test_dwa(temperature: float) -> None:
    weighting = DwaWeighting(THREE, temperature)
    theirs = scalarization.DWA(temperature)
    for epoch, means in enumerate(EPOCHS):
        expected = dwa_by_hand(EPOCHS[:epoch], temperature)
        losses = scalars(means)
        joint = weighting(losses)
        joint.backward()
        assert [loss.grad.item() for loss in losses.values()] == pytest.approx(expected, rel=1e-6)
        assert list(weighting.weights().values()) == pytest.approx(expected, rel=1e-6)
        assert sum(weighting.weights().values()) == pytest.approx(3)
        assert joint.item() == pytest.approx(theirs(torch.tensor(means)).item(), rel=1e-6)
        weighting.end_epoch(dict(zip(THREE, means, strict=True)))
        theirs.step()
    # "age" rose in the last epoch: it gets the most weight
    assert max(weighting.weights(), key=weighting.weights().__getitem__) == "age"


def test_dwa_keeps_the_history_of_an_absent_task() -> None:
    weighting = DwaWeighting(THREE)
    weighting.end_epoch(dict(zip(THREE, EPOCHS[0], strict=True)))
    weighting.end_epoch({"emotion": 1.0, "age": 2.9})
    weighting.end_epoch({"emotion": 0.7, "age": 2.0})
    rates = [0.7 / 1.0, 1.0, 2.0 / 2.9]  # gender: one epoch only, so no rate yet
    exponentials = [math.exp(r / 2) for r in rates]
    expected = [3 * e / sum(exponentials) for e in exponentials]
    assert list(weighting.weights().values()) == pytest.approx(expected, rel=1e-6)


def test_dwa_after_a_solved_epoch_is_finite() -> None:
    weighting = DwaWeighting(TASKS)
    for _ in range(2):
        weighting.end_epoch({"emotion": 0.0, "gender": 0.5})
    assert weighting.weights() == pytest.approx({"emotion": 1.0, "gender": 1.0})


def famo_by_hand(batches: list[list[list[Any]]], rate: float, decay: float):
    """Algorithm 1 with Adam's step, in floats. Yields the weights of each batch and xi after it."""
    count = len(batches[0][0])
    xi, m, v = [0.0] * count, [0.0] * count, [0.0] * count
    for t, (before, after) in enumerate(batches, start=1):
        z = [math.exp(x) / sum(math.exp(y) for y in xi) for x in xi]
        c = 1 / sum(a / loss for a, loss in zip(z, before, strict=True))
        yield [c * a / loss for a, loss in zip(z, before, strict=True)], None
        change = [math.log(b) - math.log(a) for b, a in zip(before, after, strict=True)]
        for i in range(count):
            jacobian = [z[j] * ((i == j) - z[i]) for j in range(count)]
            g = sum(j * d for j, d in zip(jacobian, change, strict=True)) + decay * xi[i]
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g * g
            step = (m[i] / (1 - 0.9**t)) / (math.sqrt(v[i] / (1 - 0.999**t)) + 1e-8)
            m_new = xi[i] - rate * step
            xi[i] = m_new
        yield None, list(xi)


@pytest.mark.parametrize(("rate", "decay"), [(0.025, 1e-3), (0.1, 0.0), (0.1, 0.5)])
def test_famo(rate: float, decay: float) -> None:
    generator = torch.Generator().manual_seed(0)
    batches = [((torch.rand(2, 3, generator=generator) + 0.1) * 2).tolist() for _ in range(25)]
    weighting = FamoWeighting(THREE, rate, decay).double()
    theirs = scalarization.FAMO(3, lr=rate, weight_decay=decay).double()
    hand = famo_by_hand(batches, rate, decay)
    for before, after in batches:
        losses = scalars(before)
        joint = weighting(losses)
        joint.backward()
        weights, _ = next(hand)
        assert [loss.grad.item() for loss in losses.values()] == pytest.approx(weights, rel=1e-6)
        assert list(weighting.weights().values()) == pytest.approx(weights, rel=1e-6)
        assert sum(weights) == pytest.approx(1)
        assert joint.item() == pytest.approx(
            theirs(torch.tensor(before, dtype=torch.float64)).item(), rel=1e-6
        )
        weighting.after_step(scalars(after))
        theirs.update(torch.tensor(after, dtype=torch.float64))
        _, xi = next(hand)
        assert weighting.xi.tolist() == pytest.approx(xi, rel=1e-5, abs=1e-7)


def test_famo_moves_weight_to_the_slowest_task() -> None:
    weighting = FamoWeighting(TASKS)
    for step in range(40):
        level = {"emotion": torch.tensor(1.0), "gender": torch.tensor(0.9**step)}
        weighting(level)
        weighting.after_step({"emotion": torch.tensor(1.0), "gender": torch.tensor(0.9 ** (step + 1))})
    assert weighting.xi[0] > 0.5 > -0.5 > weighting.xi[1]


def test_famo_needs_both_sides_of_the_step() -> None:
    weighting = FamoWeighting(TASKS)
    losses = {"emotion": torch.tensor(1.0), "gender": torch.tensor(1.0)}
    with pytest.raises(AffuseError, match="forward first"):
        weighting.after_step(losses)
    weighting(losses)
    with pytest.raises(AffuseError, match="the batch that forward was given"):
        weighting.after_step({"emotion": torch.tensor(1.0)})


def hand_gradients(matrix: list[list[float]], x: list[float], targets: list[float], heads: list[list[float]]):
    """Loss and its gradient in ``matrix`` for the task 1/2 (head . (matrix x) - target)^2, in floats."""
    rows, columns = len(matrix), len(x)
    hidden = [sum(matrix[r][c] * x[c] for c in range(columns)) for r in range(rows)]
    losses, gradients = [], []
    for head, target in zip(heads, targets, strict=True):
        error = sum(h * e for h, e in zip(hidden, head, strict=True)) - target
        losses.append(error**2 / 2)
        gradients.append([[error * head[r] * x[c] for c in range(columns)] for r in range(rows)])
    return losses, gradients


@pytest.mark.parametrize("alpha", [0.0, 1.5])
def test_gradnorm(alpha: float) -> None:
    x, targets = [0.5, -1.0, 2.0], [0.3, -2.0]
    heads = [[1.0, -0.5], [0.2, 3.0]]
    matrix = [[0.1, 0.4, -0.3], [0.7, -0.2, 0.6]]
    rate, speed = 0.02, 0.01
    weighting = GradNormWeighting(TASKS, alpha).double()
    layer = nn.Linear(3, 2, bias=False).double()
    layer.weight.data = torch.tensor(matrix, dtype=torch.float64)
    optimiser = torch.optim.SGD(
        [{"params": layer.parameters()}, {"params": weighting.parameters(), "lr": speed}], lr=rate
    )
    logits, initial = [0.0, 0.0], None
    for _ in range(12):
        hidden = layer(torch.tensor(x, dtype=torch.float64))
        tensors = {
            task: (hidden @ torch.tensor(heads[k]).double() - targets[k]) ** 2 / 2
            for k, task in enumerate(TASKS)
        }
        optimiser.zero_grad()
        joint = weighting.backward(tensors, list(layer.parameters()))
        optimiser.step()

        losses, gradients = hand_gradients(matrix, x, targets, heads)
        initial = initial or losses
        norms = [math.sqrt(sum(g * g for row in gradient for g in row)) for gradient in gradients]
        rates = [loss / first for loss, first in zip(losses, initial, strict=True)]
        rates = [r / (sum(rates) / 2) for r in rates]

        def weights_of(logits: Any):
            return [2 * math.exp(v) / sum(math.exp(u) for u in logits) for v in logits]

        w = weights_of(logits)
        mean = sum(a * n for a, n in zip(w, norms, strict=True)) / 2
        goal = [mean * r**alpha for r in rates]

        def distance(logits: Any, norms: Any = norms, goal: Any = goal):
            return sum(abs(a * n - g) for a, n, g in zip(weights_of(logits), norms, goal, strict=True))

        h = 1e-6
        slope = [
            (
                distance([v + h * (i == k) for i, v in enumerate(logits)])
                - distance([v - h * (i == k) for i, v in enumerate(logits)])
            )
            / (2 * h)
            for k in range(2)
        ]
        assert joint.item() == pytest.approx(sum(a * b for a, b in zip(w, losses, strict=True)), rel=1e-5)
        logits = [v - speed * s for v, s in zip(logits, slope, strict=True)]
        matrix = [
            [
                matrix[r][c] - rate * sum(a * g[r][c] for a, g in zip(w, gradients, strict=True))
                for c in range(3)
            ]
            for r in range(2)
        ]
        assert weighting.logits.tolist() == pytest.approx(logits, abs=1e-7)
        torch.testing.assert_close(layer.weight.data, torch.tensor(matrix).double(), atol=1e-6, rtol=1e-5)
    assert abs(logits[0]) > 0.01  # the weights moved at all
    assert weighting.weights() == pytest.approx(dict(zip(TASKS, weights_of(logits), strict=True)), rel=1e-6)


@pytest.mark.parametrize("over", ["last", "all", "features"])
def test_gradnorm_measures_what_it_is_told(over: str) -> None:
    run = Run(GradNormWeighting, over=over, alpha=0.0)
    x = torch.randn(12, 5)
    losses, embedding = run.network(x)
    trunk = list(run.network.trunk.parameters())
    chosen = {"last": [trunk[2]], "all": trunk, "features": [embedding]}[over]  # trunk[3] is a bias
    norms = []
    for loss in losses.values():
        grads = torch.autograd.grad(loss, chosen, retain_graph=True)
        norms.append(math.sqrt(sum(g.square().sum().item() for g in grads)))
    run.weighting.backward(losses, trunk, [embedding])
    sign = 1 if norms[0] > norms[1] else -1
    # at equal weights w_i = 1 and d w_1 / d v_1 = 1/2 = -d w_2 / d v_1, so |G_1 - m| + |G_2 - m| slopes by
    # (n_1 + n_2) / 2
    expected = sign * (norms[0] + norms[1]) / 2
    assert run.weighting.logits.grad.tolist() == pytest.approx([expected, -expected], rel=1e-4)


def test_gradnorm_gradients_of_the_network_are_those_of_the_weighted_sum() -> None:
    first, second = Run(GradNormWeighting), Run(GradNormWeighting)
    x = torch.randn(12, 5)
    losses, embedding = first.network(x)
    first.weighting.backward(losses, list(first.network.trunk.parameters()), [embedding])
    second.weighting(second.network(x)[0]).backward()
    assert second.weighting.logits.grad is None  # forward trains the network only
    for mine, plain in zip(first.network.parameters(), second.network.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, plain.grad)


def test_gradnorm_refuses() -> None:
    with pytest.raises(AffuseError, match="'last', 'all' or 'features'"):
        GradNormWeighting(TASKS, over="heads")
    run = Run(GradNormWeighting)
    losses, embedding = run.network(torch.randn(4, 5))
    with pytest.raises(AffuseError, match="no trainable tensor"):
        run.weighting.backward(losses, [], [embedding])

"""Losses of 0, near 0, and of unlike size (1 - CCC is 0 to 2): every weighting stays finite."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from affuse.errors import AffuseError
from affuse.losses import ConcordanceLoss
from affuse.weighting import (
    DwaWeighting,
    GeometricWeighting,
    GradNormWeighting,
    ImtlLWeighting,
    SoftmaxWeighting,
    UncertaintyWeighting,
)
from affuse.weighting.base import SMALLEST
from affuse.weighting.torchjd import CaGradWeighting, MgdaWeighting
from weighting.networks import LOSS_BASED, SURGERY
from weighting.test_surgery import needs

TASKS = ("emotion", "gender", "valence", "arousal")


def train(kind: type[Any], valence: float, arousal: float, steps: int = 150, rate: float = 1.0):
    """A layer with two tasks of classes, a rating that is solved or nearly so, and one of any loss.

    The rate is large, so that what grows without bound does so here.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(12, 3, generator=generator)
    layer, heads = nn.Linear(3, 4), nn.Parameter(torch.randn(2, 4, 3, generator=generator))
    weighting = kind(TASKS)
    optimiser = torch.optim.Adam(
        [{"params": [*layer.parameters(), heads]}, {"params": list(weighting.parameters()), "lr": rate}],
        lr=0.01,
    )

    def losses() -> tuple[dict[str, Tensor], Tensor]:
        embedding = layer(x).tanh()
        classes = {
            task: nn.functional.cross_entropy(embedding @ heads[i], (x[:, i] > 0).long())
            for i, task in enumerate(TASKS[:2])
        }
        ratings = {"valence": valence, "arousal": arousal}
        return classes | {task: one + 0 * embedding.sum() for task, one in ratings.items()}, embedding

    joint = torch.zeros(())
    for _ in range(steps):
        found, embedding = losses()
        optimiser.zero_grad()
        joint = weighting.backward(found, list(layer.parameters()), [embedding])
        assert joint.isfinite()
        numbers = [parameter.grad for parameter in (*layer.parameters(), heads, *weighting.parameters())]
        assert all(one.isfinite().all() for one in numbers if one is not None)
        optimiser.step()
        if weighting.needs_losses_after_step:
            with torch.no_grad():
                weighting.after_step(losses()[0])
        weighting.end_epoch({task: loss.item() for task, loss in found.items()})
    return weighting, layer


@pytest.mark.parametrize("kind", [*LOSS_BASED, GradNormWeighting, *SURGERY])
@pytest.mark.parametrize(("valence", "arousal"), [(0.0, 2.0), (0.0, 0.0), (1e-40, 1e-5)])
def test_solved_tasks_leave_all_numbers_finite(kind: type[Any], valence: float, arousal: float) -> None:
    needs(kind)
    weighting, layer = train(kind, valence, arousal, steps=10 if kind in SURGERY else 150)
    assert all(math.isfinite(one) for one in weighting.weights().values())
    assert all(bool(one.isfinite().all()) for one in layer.parameters())


@pytest.mark.parametrize("kind", [MgdaWeighting, CaGradWeighting])
def test_a_task_without_a_gradient_stops_what_looks_for_the_worst_task(kind: type[Any]) -> None:
    """The shortest vector of a hull that has 0 is 0, and no step helps a task that nothing changes."""
    needs(kind)
    layer = nn.Linear(3, 4)
    embedding = layer(torch.randn(6, 3))
    found = {"emotion": embedding.square().sum(), "valence": 0 * embedding.sum()}
    kind(["emotion", "valence"]).backward(found, list(layer.parameters()), [embedding])
    assert all(bool((one.grad == 0).all()) for one in layer.parameters())


@pytest.mark.parametrize(
    ("kind", "name", "sign", "per_loss"),
    [(UncertaintyWeighting, "log_variances", -1, 2), (ImtlLWeighting, "log_scales", 1, 1)],
)
def test_the_weight_of_a_solved_task_is_bounded_and_falls_again(
    kind: type[Any], name: str, sign: int, per_loss: int
) -> None:
    """It comes to its optimum for a loss of 1e-8, and follows the loss when that rises again."""
    weighting = kind(["emotion", "valence"])
    optimiser = torch.optim.Rprop(weighting.parameters(), lr=0.1)
    for loss, wanted in ((0.0, SMALLEST), (1.5, 1.5)):
        for _ in range(400):
            optimiser.zero_grad()
            weighting({"emotion": torch.tensor(1.0), "valence": torch.tensor(loss)}).backward()
            optimiser.step()
        assert weighting.weights()["valence"] == pytest.approx(1 / (per_loss * wanted), rel=0.05)
        learnt = getattr(weighting, name)[1].item()
        assert learnt == pytest.approx(-sign * math.log(wanted), abs=0.05)


@pytest.mark.parametrize("kind", [UncertaintyWeighting, ImtlLWeighting, GeometricWeighting])
def test_losses_above_1e_8_are_as_they_were(kind: type[Any]) -> None:
    values = [1.3, 2e-8]
    found = [torch.tensor(one, requires_grad=True) for one in values]
    kind(["emotion", "valence"])(dict(zip(["emotion", "valence"], found, strict=True))).backward()
    expected = {
        UncertaintyWeighting: [0.5, 0.5],
        ImtlLWeighting: [1.0, 1.0],
        GeometricWeighting: [math.sqrt(values[1] / values[0]) / 2, math.sqrt(values[0] / values[1]) / 2],
    }[kind]
    assert [one.grad.item() for one in found] == pytest.approx(expected, rel=1e-5)


def test_a_negative_loss_has_no_geometric_mean() -> None:
    """NaN ends the run, with the epoch and the batch; it was taken for a solved task before."""
    joint = GeometricWeighting(["emotion", "valence"])(
        {"emotion": torch.tensor(1.0), "valence": torch.tensor(-0.5)}
    )
    assert joint.isnan()


def test_dwa_after_an_epoch_that_was_almost_solved() -> None:
    weighting = DwaWeighting(["emotion", "valence"])
    for losses in ({"emotion": 0.5, "valence": 1e-42}, {"emotion": 0.5, "valence": 1.0}):
        weighting.end_epoch(losses)
    assert weighting.weights() == pytest.approx({"emotion": 1.0, "valence": 1.0})


def test_gradnorm_pulls_laggards_back_and_not_on() -> None:
    with pytest.raises(AffuseError, match="alpha"):
        GradNormWeighting(["emotion", "valence"], alpha=-1.0)


def test_ccc_against_nats_by_softmax_goes_to_the_smallest_loss() -> None:
    """Gradient flow of softmax weights over three losses that do not move, by small steps in plain floats.

    dw_i / dt = w_i (g_i - sum_j w_j g_j) with g_i = w_i (J - L_i), J = sum_j w_j L_j.
    """
    ratings = torch.tensor([-0.5, 0.0, 0.75])
    valence = ConcordanceLoss(1, 4)(0.8 * ratings[:, None] + 0.1, torch.zeros(3, 4), ratings).item()
    assert 0 < valence < 0.1
    losses = {"emotion": math.log(4) * 0.9, "gender": 0.4, "valence": valence}
    weighting, step = SoftmaxWeighting(list(losses)).double(), 0.01
    optimiser = torch.optim.SGD(weighting.parameters(), lr=step)
    w = [1 / 3] * 3
    for _ in range(3000):
        optimiser.zero_grad()
        weighting({task: torch.tensor(one, dtype=torch.float64) for task, one in losses.items()}).backward()
        optimiser.step()
        joint = sum(a * b for a, b in zip(w, losses.values(), strict=True))
        g = [a * (joint - b) for a, b in zip(w, losses.values(), strict=True)]
        mean = sum(a * b for a, b in zip(w, g, strict=True))
        w = [a + step * a * (b - mean) for a, b in zip(w, g, strict=True)]
    assert list(weighting.weights().values()) == pytest.approx(w, rel=1e-2)
    assert w[2] > 0.9
    assert w[0] < w[1] < w[2]


def test_the_unit_of_a_loss_decides_whom_softmax_favours() -> None:
    """0.9 nats are 1.3 bits: beside a rating's loss of 1 (CCC 0) the same answers gain weight, or lose it."""
    steps = {}
    for unit, cross_entropy in (("nats", 0.9), ("bits", 0.9 / math.log(2))):
        weighting = SoftmaxWeighting(["emotion", "valence"])
        optimiser = torch.optim.SGD(weighting.parameters(), lr=0.1)
        weighting({"emotion": torch.tensor(cross_entropy), "valence": torch.tensor(1.0)}).backward()
        optimiser.step()
        steps[unit] = weighting.weights()["emotion"] - 0.5
    # d logit_e = -w_e w_v (L_e - L_v) rate each way, and dw_e = 2 w_e w_v d logit_e
    assert steps["nats"] == pytest.approx(0.1 * (1 - 0.9) / 8, rel=1e-3)
    assert steps["bits"] == pytest.approx(0.1 * (1 - 0.9 / math.log(2)) / 8, rel=1e-3)


@pytest.mark.parametrize("factor", [0.25, math.log2(math.e), 30.0])
def test_the_unit_of_a_loss_does_not_matter_to_relative_weights(factor: float) -> None:
    """Geometric mean at once, uncertainty and IMTL-L at their optimum: w_i L_i is the same for every task."""
    losses = {"emotion": 0.9 * factor, "valence": 0.4}
    geometric = GeometricWeighting(list(losses))
    geometric({task: torch.tensor(one) for task, one in losses.items()})
    shares = [geometric.weights()[task] * one for task, one in losses.items()]
    assert shares[0] == pytest.approx(shares[1], rel=1e-5)
    for kind, name, optimum in (
        (UncertaintyWeighting, "log_variances", [math.log(one) for one in losses.values()]),
        (ImtlLWeighting, "log_scales", [-math.log(one) for one in losses.values()]),
    ):
        weighting = kind(list(losses))
        getattr(weighting, name).data = torch.tensor(optimum)
        weighting({task: torch.tensor(one) for task, one in losses.items()}).backward()
        assert getattr(weighting, name).grad.tolist() == pytest.approx([0.0, 0.0], abs=1e-6)
        shares = [weighting.weights()[task] * one for task, one in losses.items()]
        assert shares[0] == pytest.approx(shares[1], rel=1e-5)

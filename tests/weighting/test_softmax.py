"""The paper's rule: its gradient, its drift to the easier task, and the entropy term that bounds it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from scipy.optimize import brentq

from affuse.errors import AffuseError
from affuse.weighting import SoftmaxWeighting

TASKS = ("emotion", "gender")


def constant(emotion: float, gender: float):
    return {"emotion": torch.tensor(emotion, dtype=torch.float64), "gender": torch.tensor(gender)}


def descend(weighting: SoftmaxWeighting, losses: dict[str, torch.Tensor], optimiser: Any, steps: int):
    for _ in range(steps):
        optimiser.zero_grad()
        weighting(losses).backward()
        optimiser.step()


def test_starts_equal() -> None:
    weighting = SoftmaxWeighting(TASKS)
    assert weighting.logits.tolist() == [0.0, 0.0]
    assert weighting.weights() == {"emotion": 0.5, "gender": 0.5}
    assert weighting(constant(1.2, 0.5)).item() == pytest.approx((1.2 + 0.5) / 2)


@pytest.mark.parametrize("logits", [(0.0, 0.0), (-0.2827, 0.2827), (3.0, -1.0), (40.0, -40.0)])
def test_two_task_gradient_is_the_product_of_the_weights_and_the_gap(logits: tuple[float, float]) -> None:
    weighting = SoftmaxWeighting(TASKS).double()
    weighting.logits.data = torch.tensor(logits, dtype=torch.float64)
    weighting(constant(1.2, 0.5)).backward()
    w_e = 1 / (1 + math.exp(logits[1] - logits[0]))
    w_g = 1 / (1 + math.exp(logits[0] - logits[1]))
    gap = 1.2 - float(torch.tensor(0.5))
    assert weighting.logits.grad.tolist() == pytest.approx([w_e * w_g * gap, -w_e * w_g * gap])


def test_the_papers_final_weights() -> None:
    weighting = SoftmaxWeighting(TASKS)
    weighting.logits.data = torch.tensor([-0.2827, 0.2827])
    assert weighting.weights() == pytest.approx({"emotion": 0.3623, "gender": 0.6377}, abs=5e-5)


def test_drift_to_the_easier_task_has_no_optimum() -> None:
    """Gradient flow at a constant gap D: z + sinh z = D t, z = logit_g - logit_e."""
    weighting = SoftmaxWeighting(TASKS).double()
    gap, rate = 0.7, 0.02
    losses = {"emotion": torch.tensor(1.2, dtype=torch.float64), "gender": torch.tensor(0.5).double()}
    optimiser = torch.optim.SGD(weighting.parameters(), lr=rate)
    for steps in (100, 400, 1500):  # 2000 in all
        before = weighting.weights()["emotion"]
        descend(weighting, losses, optimiser, steps)
        assert weighting.weights()["emotion"] < before < 0.51  # the harder task, ever less
    time = 2000 * rate
    z = (weighting.logits[1] - weighting.logits[0]).item()
    assert z == pytest.approx(brentq(lambda x: x + math.sinh(x) - gap * time, 0, 50), rel=5e-3)
    assert weighting.logits.sum().item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("optimiser", [torch.optim.SGD, torch.optim.Adam])
def test_logits_stay_opposite(optimiser: type[Any]) -> None:
    weighting = SoftmaxWeighting(TASKS).double()
    descend(weighting, constant(0.3, 0.9), optimiser(weighting.parameters(), lr=0.05), 50)
    assert weighting.weights()["emotion"] > 0.6
    assert weighting.logits.sum().item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("temperature", [0.2, 1.0, 5.0])
def test_entropy_bounds_the_drift(temperature: float) -> None:
    losses = {"emotion": 1.3, "gender": 0.4, "age": 0.9}
    weighting = SoftmaxWeighting(tuple(losses), entropy=temperature).double()
    optimiser = torch.optim.SGD(weighting.parameters(), lr=1 / temperature)
    descend(weighting, {t: torch.tensor(v, dtype=torch.float64) for t, v in losses.items()}, optimiser, 3000)
    exponentials = {task: math.exp(-loss / temperature) for task, loss in losses.items()}
    normaliser = sum(exponentials.values())
    assert weighting.weights() == pytest.approx(
        {t: e / normaliser for t, e in exponentials.items()}, rel=1e-5
    )
    # and the optimum is the soft minimum -T log sum exp(-L / T)
    at_optimum = weighting({t: torch.tensor(v, dtype=torch.float64) for t, v in losses.items()}).item()
    assert at_optimum == pytest.approx(-temperature * math.log(normaliser), rel=1e-6)


def test_entropy_of_a_vanished_weight_is_zero() -> None:
    weighting = SoftmaxWeighting(TASKS, entropy=1.0)
    weighting.logits.data = torch.tensor([-200.0, 200.0])
    joint = weighting(constant(1.2, 0.5))
    joint.backward()
    assert joint.item() == pytest.approx(0.5)
    assert weighting.logits.grad.isfinite().all()


@pytest.mark.parametrize("entropy", [-0.1, math.nan])
def test_refuses_a_negative_entropy_factor(entropy: float) -> None:
    with pytest.raises(AffuseError, match="entropy"):
        SoftmaxWeighting(TASKS, entropy)

"""What every weighting promises: absent tasks, resuming, evaluation, errors."""

from __future__ import annotations

import copy
import io
import math
from typing import Any

import pytest
import torch

from affuse.errors import AffuseError
from affuse.weighting import (
    DwaWeighting,
    FamoWeighting,
    GeometricWeighting,
    GradNormWeighting,
    RlwWeighting,
    SoftmaxWeighting,
    StaticWeighting,
)
from weighting.networks import LOSS_BASED, SURGERY, TASKS, Run
from weighting.test_surgery import needs

ALL = [*LOSS_BASED, GradNormWeighting, *SURGERY]
THREE = ("emotion", "gender", "age")


def given(*names: str):
    values = {"emotion": 1.3, "gender": 0.4, "age": 2.1}
    return {name: torch.tensor(values[name], requires_grad=True) for name in names}


@pytest.mark.parametrize("kind", [*LOSS_BASED, GradNormWeighting])
def test_an_absent_task_is_left_out(kind: type[Any]) -> None:
    """Three tasks with one absent equal two tasks, unless the weights are fixed."""
    three, two = kind(THREE), kind(TASKS)
    if kind is StaticWeighting:
        three, two = (
            kind(THREE, {"emotion": 0.2, "gender": 0.5, "age": 9}),
            kind(TASKS, {"emotion": 0.2, "gender": 0.5}),
        )
    if kind is RlwWeighting:  # three numbers are drawn whoever is present
        draws = torch.randn(3, generator=torch.Generator().manual_seed(0))[:2]
        expected = (draws.softmax(0) * torch.tensor([1.3, 0.4])).sum()
    else:
        expected = two(given(*TASKS))
    joint = three(given(*TASKS))
    assert joint.item() == pytest.approx(expected.item(), rel=1e-6)
    joint.backward()
    for parameter in three.parameters():
        assert parameter.grad is None or parameter.grad[2] == 0


@pytest.mark.parametrize("kind", [GeometricWeighting, RlwWeighting, FamoWeighting])
def test_weights_of_a_batch_with_an_absent_task(kind: type[Any]) -> None:
    """Where the weights are the batch's own, those logged are the ones the present losses were given."""
    weighting, losses = kind(THREE), given("emotion", "age")
    weighting(losses).backward()
    weights = weighting.weights()
    assert {task: loss.grad.item() for task, loss in losses.items()} == pytest.approx(
        {task: weights[task] for task in losses}, rel=1e-6
    )
    assert weights["gender"] == pytest.approx(1 / 3)  # as it was


@pytest.mark.parametrize("kind", ALL)
def test_order_of_the_losses_does_not_matter(kind: type[Any]) -> None:
    needs(kind)
    first, second = kind(THREE), kind(THREE)
    a = first(given("emotion", "gender", "age"))
    b = second(given("age", "emotion", "gender"))
    assert a.item() == b.item()


def test_softmax_of_a_single_present_task_learns_nothing() -> None:
    weighting = SoftmaxWeighting(TASKS)
    weighting.logits.data = torch.tensor([-1.0, 1.0])
    joint = weighting(given("emotion"))
    joint.backward()
    assert joint.item() == pytest.approx(1.3)
    assert weighting.logits.grad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("kind", ALL)
def test_resume_equals_uninterrupted(kind: type[Any]) -> None:
    needs(kind)
    tasks = THREE  # PCGrad's order matters from three tasks on
    absent = {2: "age", 6: "gender"}
    whole = Run(kind, tasks)
    for number in range(9):
        whole.step(number, absent.get(number))

    first = Run(kind, tasks)
    for number in range(4):
        first.step(number, absent.get(number))
    file = io.BytesIO()
    torch.save(first.state(), file)
    file.seek(0)
    resumed = Run(kind, tasks)
    resumed.load(torch.load(file, weights_only=True))
    assert resumed.weighting.weights() == first.weighting.weights()
    for number in range(4, 9):
        resumed.step(number, absent.get(number))

    assert resumed.weighting.weights() == whole.weighting.weights()
    for mine, theirs in zip(resumed.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("kind", ALL)
def test_training_lowers_every_loss(kind: type[Any]) -> None:
    needs(kind)
    run = Run(kind)
    x = torch.randn(200, 5)
    before = run.network(x)[0]
    for number in range(60):
        assert math.isfinite(run.step(number).item())
    after = run.network(x)[0]
    for task in TASKS:
        assert after[task] < 0.6 * before[task]
    assert all(math.isfinite(w) and w >= 0 for w in run.weighting.weights().values())


@pytest.mark.parametrize("kind", ALL)
def test_evaluation_changes_no_state(kind: type[Any]) -> None:
    needs(kind)
    run = Run(kind)
    run.step(0)
    run.weighting.eval()
    before = copy.deepcopy(run.weighting.state_dict())
    with torch.no_grad():
        first = run.weighting(given(*TASKS))
        second = run.weighting(given(*TASKS))
    assert first == second
    after = run.weighting.state_dict()
    assert list(before) == list(after)
    for name in before:
        torch.testing.assert_close(before[name], after[name], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("kind", ALL)
def test_default_backward_uses_the_trainers(kind: type[Any]) -> None:
    """The trainer's ``backward`` is what runs, except where TorchJD takes the gradients apart itself."""
    needs(kind)
    called = []
    run = Run(kind)
    losses, embedding = run.network(torch.randn(12, 5))
    joint = run.weighting.backward(
        losses,
        list(run.network.trunk.parameters()),
        [embedding],
        backward=lambda loss: (called.append(loss), loss.backward()),
    )
    assert len(called) == (0 if kind in SURGERY else 1)
    assert not joint.requires_grad
    assert joint.shape == ()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in run.network.parameters())
    assert run.weighting.gradient_based == (kind in SURGERY or kind is GradNormWeighting)


@pytest.mark.parametrize("kind", ALL)
def test_bad_losses_are_told(kind: type[Any]) -> None:
    needs(kind)
    weighting = kind(TASKS)
    with pytest.raises(AffuseError, match=r"'age'.*emotion, gender"):
        weighting(given("emotion", "age"))
    with pytest.raises(AffuseError, match="No task has a labelled utterance"):
        weighting({})
    with pytest.raises(AffuseError, match=r"'gender' has shape \(3,\)"):
        weighting({"gender": torch.zeros(3)})


@pytest.mark.parametrize("kind", ALL)
def test_bad_tasks_are_told(kind: type[Any]) -> None:
    with pytest.raises(AffuseError, match="at least one task"):
        kind(())
    with pytest.raises(AffuseError, match="named twice"):
        kind(("emotion", "emotion"))


def test_epoch_losses_of_an_unknown_task_are_told() -> None:
    with pytest.raises(AffuseError, match="'age'"):
        DwaWeighting(TASKS).end_epoch({"age": 1.0})


@pytest.mark.parametrize("kind", ALL)
def test_copies_are_independent(kind: type[Any]) -> None:
    """A sweep stacks and copies models: nothing in a weighting refuses deepcopy."""
    needs(kind)
    run = Run(kind)
    run.step(0)
    twin = copy.deepcopy(run.weighting)
    before = twin.weights()
    run.step(1)
    run.step(2)
    assert twin.weights() == before

"""The TorchJD family on two quadratics whose answers are closed forms."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from affuse.errors import AffuseError
from affuse.weighting.torchjd import (
    AlignedMtlWeighting,
    CaGradWeighting,
    MgdaWeighting,
    NashMtlWeighting,
    PcGradWeighting,
    UpGradWeighting,
)
from weighting.networks import SOLVERS, SURGERY, TASKS, Run


def needs(kind: type[Any]):
    missing = [name for name in SOLVERS.get(kind, ()) if find_spec(name) is None]
    if missing:
        pytest.skip(f"{kind.__name__} needs {', '.join(missing)}, which TorchJD's extras bring")


class Quadratics(nn.Module):
    """Shared point p and a number per head: loss_k = scale_k / 2 |p - centre_k|^2 + head_k^2."""

    centres = torch.tensor([[1.0, 0.5], [-0.5, 2.0]], dtype=torch.float64)
    scales = (1.0, 3.0)

    def __init__(self, point: tuple[float, float]):
        super().__init__()
        self.point = nn.Parameter(torch.tensor(point, dtype=torch.float64))
        self.heads = nn.ParameterList(
            [nn.Parameter(torch.tensor(v, dtype=torch.float64)) for v in (0.2, -0.7)]
        )

    def forward(self):
        embedding = self.point * 1.0
        losses = {
            task: scale / 2 * (embedding - centre).square().sum() + head**2
            for task, scale, centre, head in zip(TASKS, self.scales, self.centres, self.heads, strict=True)
        }
        return losses, embedding

    def gradients(self):
        """The two rows in floats."""
        p = self.point.tolist()
        return [
            np.array([scale * (a - b) for a, b in zip(p, centre.tolist(), strict=True)])
            for scale, centre in zip(self.scales, self.centres, strict=True)
        ]


def pcgrad(g1: Any, g2: Any):
    dot = g1 @ g2
    if dot >= 0:
        return g1 + g2
    return (g1 - dot / (g2 @ g2) * g2) + (g2 - dot / (g1 @ g1) * g1)


def mgda(g1: Any, g2: Any):
    gamma = np.clip((g2 - g1) @ g2 / ((g1 - g2) @ (g1 - g2)), 0, 1)
    return gamma * g1 + (1 - gamma) * g2


def aligned_mtl(g1: Any, g2: Any):
    """The rows of G = U S V^T are gradients: every singular value becomes the smallest; mean of rows."""
    u, s, vt = np.linalg.svd(np.stack([g1, g2]), full_matrices=False)
    return (u @ np.diag([s.min()] * 2) @ vt).mean(0)


def upgrad(g1: Any, g2: Any):
    """A gradient that conflicts is projected onto the plane orthogonal to the other; mean of the two.

    TorchJD adds 1e-4 of the Gramian's trace to its diagonal.
    """
    dot, more = g1 @ g2, 1e-4 * (g1 @ g1 + g2 @ g2)
    if dot >= 0:
        return (g1 + g2) / 2
    return ((g1 - dot / (g2 @ g2 + more) * g2) + (g2 - dot / (g1 @ g1 + more) * g1)) / 2


def cagrad(g1: Any, g2: Any):
    """The dual problem min_w g_w . g_0 + c |g_0| |g_w| on a fine grid of the segment."""
    g0 = (g1 + g2) / 2
    radius = 0.4 * math.sqrt(g0 @ g0)
    best = min(
        (a * g1 + (1 - a) * g2 for a in np.linspace(0, 1, 200_001)),
        key=lambda gw: gw @ g0 + radius * math.sqrt(gw @ gw),
    )
    return g0 + radius / math.sqrt(best @ best) * best


def nash(g1: Any, g2: Any):
    """G G^T a = 1 / a for two tasks: a_1 |g_1| = a_2 |g_2| = 1 / sqrt(1 + cosine); then no longer than 1."""
    n1, n2 = math.sqrt(g1 @ g1), math.sqrt(g2 @ g2)
    level = 1 / math.sqrt(1 + g1 @ g2 / (n1 * n2))
    step = level / n1 * g1 + level / n2 * g2
    # TorchJD solves for the Gramian over its norm F: a grows by sqrt(F), and the step is then cut to length 1
    frobenius = math.sqrt((g1 @ g1) ** 2 + 2 * (g1 @ g2) ** 2 + (g2 @ g2) ** 2)
    step = step * math.sqrt(frobenius)
    return step / max(1.0, math.sqrt(step @ step))


CLOSED = [
    (PcGradWeighting, pcgrad, 1e-9),
    (MgdaWeighting, mgda, 1e-9),
    (AlignedMtlWeighting, aligned_mtl, 1e-9),
    (UpGradWeighting, upgrad, 1e-6),
    (CaGradWeighting, cagrad, 1e-3),
    (NashMtlWeighting, nash, 5e-3),
]


@pytest.mark.parametrize(("kind", "closed", "tolerance"), CLOSED)
@pytest.mark.parametrize("point", [(0.3, 1.1), (3.0, 2.5), (0.9, 0.9), (-4.0, 1.0)])
def test_two_quadratics(
    kind: type[Any], closed: Callable[..., Any], tolerance: float, point: tuple[float, float]
) -> None:
    needs(kind)
    model = Quadratics(point)
    g1, g2 = model.gradients()
    losses, embedding = model()
    weighting = kind(TASKS)
    joint = weighting.backward(losses, [model.point], [embedding])
    expected = closed(g1, g2)
    np.testing.assert_allclose(
        model.point.grad.numpy(), expected, atol=tolerance * max(1, np.abs(expected).max())
    )
    # each head is descended by its own loss, unweighted
    assert [head.grad.item() for head in model.heads] == pytest.approx([0.4, -1.4])
    weights = weighting.weights()
    combined = weights["emotion"] * g1 + weights["gender"] * g2
    np.testing.assert_allclose(combined, model.point.grad.numpy(), rtol=1e-5, atol=1e-6)
    assert joint.item() == pytest.approx(
        sum(weights[task] * loss.item() for task, loss in losses.items()), rel=1e-5
    )
    assert weighting(losses).item() == pytest.approx(joint.item(), rel=1e-5)


@pytest.mark.parametrize("kind", [PcGradWeighting, MgdaWeighting])
def test_between_the_centres_nothing_moves(kind: type[Any]) -> None:
    """There the gradients are opposite: no direction helps both tasks."""
    model = Quadratics((0.25, 1.25))
    losses, embedding = model()
    kind(TASKS).backward(losses, [model.point], [embedding])
    assert np.abs(np.stack(model.gradients())).min() > 0.5
    np.testing.assert_allclose(model.point.grad.numpy(), 0, atol=1e-12)


def test_the_points_cover_conflict_and_agreement() -> None:
    dots = [g1 @ g2 for g1, g2 in (Quadratics(p).gradients() for p in [(0.3, 1.1), (3.0, 2.5), (-4.0, 1.0)])]
    assert min(dots) < 0 < max(dots)


@pytest.mark.parametrize("kind", SURGERY)
def test_gradients_accumulate_like_backward(kind: type[Any]) -> None:
    """Two calls before a step add up, and nothing is left on the parameters."""
    needs(kind)
    run = Run(kind)
    trunk = list(run.network.trunk.parameters())
    x = torch.randn(12, 5)
    for _ in range(2):
        losses, embedding = run.network(x)
        run.weighting.backward(losses, trunk, [embedding])
    twice = [p.grad.clone() for p in trunk]
    again = Run(kind)
    losses, embedding = again.network(x)
    again.weighting.backward(losses, list(again.network.trunk.parameters()), [embedding])
    once = [p.grad for p in again.network.trunk.parameters()]
    for two, one, parameter in zip(twice, once, trunk, strict=True):
        torch.testing.assert_close(two, 2 * one, atol=2e-3, rtol=1e-2 if kind is NashMtlWeighting else 1e-5)
        assert not hasattr(parameter, "jac")


@pytest.mark.parametrize("kind", SURGERY)
def test_one_task_alone_is_plain_descent(kind: type[Any]) -> None:
    needs(kind)
    run, plain = Run(kind), Run(kind)
    x = torch.randn(12, 5)
    losses, embedding = run.network(x)
    losses.pop("gender")
    called = []
    run.weighting.backward(
        losses,
        list(run.network.trunk.parameters()),
        [embedding],
        backward=lambda loss: (called.append(loss), loss.backward()),
    )
    assert len(called) == 1
    plain.network(x)[0]["emotion"].backward()
    for mine, theirs in zip(run.network.parameters(), plain.network.parameters(), strict=True):
        assert (mine.grad is None) == (theirs.grad is None)
        if mine.grad is not None:
            torch.testing.assert_close(mine.grad, theirs.grad)


def test_frozen_shared_parameters_stay_without_gradient() -> None:
    run = Run(MgdaWeighting)
    run.network.trunk[0].requires_grad_(False)
    losses, embedding = run.network(torch.randn(12, 5))
    run.weighting.backward(losses, list(run.network.trunk.parameters()), [embedding])
    assert run.network.trunk[0].weight.grad is None
    assert run.network.trunk[2].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", [PcGradWeighting, MgdaWeighting, AlignedMtlWeighting])
def test_refuses_a_model_with_nothing_shared(kind: type[Any]) -> None:
    run = Run(kind)
    losses, embedding = run.network(torch.randn(12, 5))
    for shared, features in (([], [embedding]), (list(run.network.trunk.parameters()), [])):
        with pytest.raises(AffuseError, match="no trainable one before its heads"):
            run.weighting.backward(losses, shared, features)


@pytest.mark.parametrize("kind", SURGERY)
def test_a_missing_library_is_told_with_its_cure(kind: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchjd.aggregation", None)  # its import now fails
    with pytest.raises(AffuseError, match=r"pip install 'affuse\[torchjd\]'"):
        kind(TASKS)


@pytest.mark.parametrize("kind", SOLVERS)
def test_a_missing_solver_is_told_when_it_is_made(kind: type[Any]) -> None:
    if all(find_spec(name) for name in SOLVERS[kind]):
        pytest.skip(f"the solvers of {kind.__name__} are installed")
    with pytest.raises(AffuseError, match=r"requires .*pip install 'affuse\[torchjd\]'"):
        kind(TASKS)


def test_pcgrad_of_three_tasks_leaves_the_global_stream_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    run = Run(PcGradWeighting, tasks=("a", "b", "c"))
    torch.manual_seed(0)
    run.step(0)
    assert torch.equal(torch.rand(3), expected)


def test_refuses_several_processes() -> None:
    """Two ranks that never talk: the refusal comes before any gradient is taken."""
    from torch import distributed
    from torch.testing._internal.distributed.fake_pg import FakeStore

    run = Run(MgdaWeighting)
    losses, embedding = run.network(torch.randn(12, 5))
    distributed.init_process_group("fake", rank=0, world_size=2, store=FakeStore())
    try:
        with pytest.raises(AffuseError, match="train on one device"):
            run.weighting.backward(losses, list(run.network.trunk.parameters()), [embedding])
    finally:
        distributed.destroy_process_group()
    assert all(p.grad is None for p in run.network.parameters())


def test_refuses_a_bad_option() -> None:
    with pytest.raises(AffuseError, match="scale_mode"):
        AlignedMtlWeighting(TASKS, scale_mode="max")
    needs(CaGradWeighting)
    with pytest.raises(AffuseError, match="at least 0"):
        CaGradWeighting(TASKS, c=-1.0)

"""The forms the center losses have in the first paper's code, derived again with plain loops; fixed centers."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from affuse.errors import AffuseError
from affuse.losses import CenterLoss, ContrastiveCenterLoss

CLASSES, DIM, BATCH = 4, 5, 7


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(5)
    embedding = torch.randn(BATCH, DIM, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 3, -1, 1, 0])  # one blank
    return torch.zeros(BATCH, CLASSES, dtype=torch.float64), embedding, labels


def squared(x: torch.Tensor, c: torch.Tensor):
    return sum((float(a) - float(b)) ** 2 for a, b in zip(x.detach(), c.detach(), strict=True))


def labelled(embedding: torch.Tensor, labels: torch.Tensor):
    return [(x, int(y)) for x, y in zip(embedding, labels, strict=True) if y >= 0]


def norm_over_the_batch(loss: Any, embedding: Any, labels: Any):
    """Lambda / 2 / B * ||X - C_y||_F (facts, section 2), lambda = 1."""
    pairs = labelled(embedding, labels)
    return 0.5 / len(pairs) * math.sqrt(sum(squared(x, loss.centers[y]) for x, y in pairs))


def ratio_of_sums(loss: Any, embedding: Any, labels: Any):
    """Lambda / 2 / B * (sum intra) / (sum inter + theta) / 0.1."""
    pairs = labelled(embedding, labels)
    own = sum(squared(x, loss.centers[y]) for x, y in pairs)
    others = sum(squared(x, loss.centers[j]) for x, y in pairs for j in range(CLASSES) if j != y)
    return 0.5 / len(pairs) * own / (others + loss.theta) / 0.1


FORMS = [
    (CenterLoss, {"squared": False}, norm_over_the_batch),
    (ContrastiveCenterLoss, {"ratio_of_sums": True, "theta": 1e-6, "scale": 10}, ratio_of_sums),
]


@pytest.mark.parametrize(("kind", "options", "by_hand"), FORMS)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_values_by_plain_loops(
    kind: type[Any],
    options: dict[str, Any],
    by_hand: Callable[..., Any],
    reduction: str,
    batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    loss = kind(CLASSES, DIM, reduction=reduction, **options).double()
    expected = by_hand(loss, *batch[1:]) * (1 if reduction == "mean" else 6)
    assert float(loss(*batch).detach()) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("kind", "options", "by_hand"), FORMS)
def test_gradients_by_finite_differences(
    kind: type[Any],
    options: dict[str, Any],
    by_hand: Callable[..., Any],
    batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    logits, embedding, labels = batch
    loss = kind(CLASSES, DIM, **options).double()

    def value(embedding: Any, centers: Any):
        return torch.func.functional_call(loss, {"centers": centers}, (logits, embedding, labels))

    assert torch.autograd.gradcheck(value, (embedding, loss.centers))


def test_the_unsquared_form_pulls_with_the_same_force_from_anywhere(
    batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    """Its gradient has norm 1/2 however far the embeddings are; eq. 1's grows with the distance."""
    for far in (1.0, 100.0):
        x = (far * batch[1].detach()).requires_grad_()
        norms = {}
        for squared_form in (True, False):
            loss = CenterLoss(CLASSES, DIM, reduction="sum", squared=squared_form).double()
            (gradient,) = torch.autograd.grad(loss(batch[0], x, batch[2]), x)
            norms[squared_form] = float(gradient.norm())
        assert norms[False] == pytest.approx(0.5, rel=1e-9)
        assert norms[True] > far


def test_an_embedding_at_its_center_gives_finite_gradients() -> None:
    loss = CenterLoss(CLASSES, DIM, squared=False)
    x = loss.centers.detach()[[1, 2]].clone().requires_grad_()
    loss(torch.zeros(2, CLASSES), x, torch.tensor([1, 2])).backward()
    assert torch.equal(x.grad, torch.zeros_like(x))


def test_the_facts_measured_ratio_of_scales() -> None:
    """One utterance: the code's contrastive term is about ten times eq. 2's (facts: 1.04 against 0.10)."""
    torch.manual_seed(0)
    x, y = torch.randn(1, 128), torch.tensor([1])
    printed, coded = (ContrastiveCenterLoss(CLASSES, 128, **o) for o in ({}, {**FORMS[1][1]}))
    coded.load_state_dict(printed.state_dict())
    ratio = coded(x[:, :4], x, y) / printed(x[:, :4], x, y)
    assert float(ratio.detach()) == pytest.approx(10, rel=0.01)


@pytest.mark.parametrize("kind", [CenterLoss, ContrastiveCenterLoss])
def test_fixed_centers_get_no_gradient_and_pull_all_the_same(
    kind: type[Any], batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
) -> None:
    loss = kind(CLASSES, DIM, trained=False).double()
    loss(*batch).backward()
    assert loss.centers.grad is None
    assert float(batch[1].grad.norm()) > 0
    assert [name for name, p in kind(CLASSES, DIM).named_parameters() if p.requires_grad] == ["centers"]


@pytest.mark.parametrize(("kind", "options", "by_hand"), FORMS)
def test_a_form_of_the_whole_batch_has_no_value_per_utterance(
    kind: type[Any], options: dict[str, Any], by_hand: Callable[..., Any]
) -> None:
    with pytest.raises(AffuseError, match="no value per utterance; reduction must be 'mean' or 'sum'"):
        kind(CLASSES, DIM, reduction="none", **options)


def test_scale_must_be_above_zero() -> None:
    with pytest.raises(AffuseError, match="scale is 0; it must be above 0"):
        ContrastiveCenterLoss(CLASSES, DIM, scale=0)

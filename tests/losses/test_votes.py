"""Losses of votes: derived again with plain loops, gradients by hand, and what they have in common."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from affuse.losses import CrossEntropyLoss, DivergenceLoss, SoftCrossEntropyLoss

NAN = float("nan")
KINDS = [SoftCrossEntropyLoss, DivergenceLoss]


def draw(n: int, seed: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (n, 4), embedding (n, 2), shares (n, 4) of five votes, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    voted = torch.randint(0, 4, (n, 5), generator=generator)
    shares = torch.nn.functional.one_hot(voted, 4).double().mean(dim=1)
    return logits, torch.zeros(n, 2, dtype=torch.float64), shares


def softmax(row: list[float]) -> list[float]:
    total = sum(math.exp(one) for one in row)
    return [math.exp(one) / total for one in row]


@pytest.mark.parametrize("blanks", [0, 2])
def test_values_equal_plain_loops(blanks: int) -> None:
    logits, embedding, shares = draw(9)
    shares[:blanks] = NAN
    pairs = list(zip(map(softmax, logits.tolist()[blanks:]), shares.tolist()[blanks:], strict=True))
    entropies = [-sum(q * math.log(q) for q in votes if q) for _, votes in pairs]
    crosses = [-sum(q * math.log(p) for p, q in zip(told, votes, strict=True)) for told, votes in pairs]
    expected = {
        SoftCrossEntropyLoss: crosses,
        DivergenceLoss: [a - b for a, b in zip(crosses, entropies, strict=True)],
    }
    for kind, values in expected.items():
        assert kind(4, 2, "none")(logits, embedding, shares).tolist() == pytest.approx(values, rel=1e-12)
        assert kind(4, 2)(logits, embedding, shares).item() == pytest.approx(sum(values) / len(values))
        assert kind(4, 2, "sum")(logits, embedding, shares).item() == pytest.approx(sum(values))


def test_both_have_the_gradient_that_is_known() -> None:
    """(softmax(z) - q) / n, for the entropy of the votes is a constant."""
    logits, embedding, shares = draw(7)
    shares[3] = NAN
    expected = ((logits.softmax(-1) - shares) / 6).detach()
    expected[3] = 0.0
    for kind in KINDS:
        loss = kind(4, 2)
        (gradient,) = torch.autograd.grad(loss(logits, embedding, shares), logits)
        torch.testing.assert_close(gradient, expected)
        assert torch.autograd.gradcheck(lambda z, of=loss: of(z, embedding, shares), logits)


def test_unanimous_votes_are_labels() -> None:
    logits, embedding, _ = draw(6)
    labels = torch.tensor([0, 1, 2, 3, 3, -1])
    shares = torch.nn.functional.one_hot(labels.clamp_min(0), 4).double()
    shares[5] = NAN
    expected = CrossEntropyLoss(4, 2)(logits, embedding, labels)
    for kind in KINDS:
        torch.testing.assert_close(kind(4, 2)(logits, embedding, shares), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_order_changes_nothing_and_no_votes_give_zero(kind: type[Any]) -> None:
    logits, embedding, shares = draw(8)
    shares[1] = NAN
    loss, order = kind(4, 2), torch.randperm(8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loss(logits[order], embedding, shares[order]), loss(logits, embedding, shares))
    nothing = loss(logits, embedding, shares * NAN)
    (gradient,) = torch.autograd.grad(nothing, logits)
    assert nothing.item() == 0
    assert not gradient.any()


@pytest.mark.parametrize("kind", KINDS)
def test_one_batch_is_learnt_by_heart(kind: type[Any]) -> None:
    _, embedding, shares = draw(6)
    told = torch.nn.Parameter(torch.zeros(6, 4, dtype=torch.float64))
    optimizer, loss = torch.optim.Adam([told], lr=0.2), kind(4, 2)
    for _ in range(300):
        optimizer.zero_grad()
        loss(told, embedding, shares).backward()
        optimizer.step()
    torch.testing.assert_close(told.softmax(-1).detach(), shares, atol=0.01, rtol=0)

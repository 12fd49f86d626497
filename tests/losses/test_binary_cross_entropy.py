"""Binary cross-entropy of several labels: derived again with plain loops, gradients, blanks, order."""

import math

import pytest
import torch
from torch import Tensor

from affuse.losses import BinaryCrossEntropyLoss, WeightedSum
from affuse.losses.base import known

NAN = float("nan")


def draw(n: int, seed: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (n, 3), embedding (n, 4), labels (n, 3), in double precision."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = (torch.rand(n, 3, generator=generator) < 0.4).double()
    return logits, torch.zeros(n, 4, dtype=torch.float64), labels


def by_hand(logits: Tensor, labels: Tensor) -> list[float]:
    values: list[float] = []
    for row, there in zip(logits.tolist(), labels.tolist(), strict=True):
        p = [1 / (1 + math.exp(-z)) for z in row]
        values.append(-sum(math.log(q if y else 1 - q) for q, y in zip(p, there, strict=True)) / len(p))
    return values


@pytest.mark.parametrize("blanks", [0, 3])
def test_value_equals_plain_loops(blanks: int) -> None:
    logits, embedding, labels = draw(9)
    labels[:blanks] = NAN
    expected = by_hand(logits[blanks:], labels[blanks:])
    shares = BinaryCrossEntropyLoss(3, 4, "none")(logits, embedding, labels)
    assert shares.tolist() == pytest.approx(expected, rel=1e-12)
    assert BinaryCrossEntropyLoss(3, 4)(logits, embedding, labels).item() == pytest.approx(
        sum(expected) / len(expected)
    )
    assert BinaryCrossEntropyLoss(3, 4, "sum")(logits, embedding, labels).item() == pytest.approx(
        sum(expected)
    )


def test_gradient_equals_finite_differences_and_the_closed_form() -> None:
    """By hand (sigmoid(z) - y) / L, shared out over the labelled utterances."""
    logits, embedding, labels = draw(6)
    labels[2] = NAN
    loss = BinaryCrossEntropyLoss(3, 4)
    assert torch.autograd.gradcheck(lambda z: loss(z, embedding, labels), logits)
    (gradient,) = torch.autograd.grad(loss(logits, embedding, labels), logits)
    expected = ((logits.sigmoid() - labels) / 3 / 5).detach()
    expected[2] = 0.0
    torch.testing.assert_close(gradient, expected)


def test_order_changes_nothing_and_large_logits_stay_finite() -> None:
    logits, embedding, labels = draw(8)
    labels[5] = NAN
    loss, order = BinaryCrossEntropyLoss(3, 4), torch.randperm(8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loss(logits[order], embedding, labels[order]), loss(logits, embedding, labels))
    assert loss(torch.full((1, 3), -1e4), embedding[:1], torch.ones(1, 3)).item() == pytest.approx(1e4)


def test_a_batch_without_labels_gives_zero_with_a_graph() -> None:
    logits, embedding, labels = draw(2)
    value = BinaryCrossEntropyLoss(3, 4)(logits, embedding, labels * NAN)
    (gradient,) = torch.autograd.grad(value, logits)
    assert value.item() == 0
    assert not gradient.any()


def test_one_batch_is_learnt_by_heart() -> None:
    _, embedding, labels = draw(6)
    head = torch.nn.Parameter(torch.zeros(6, 3, dtype=torch.float64))
    loss = WeightedSum([(BinaryCrossEntropyLoss(3, 4), 1.0)])
    optimizer = torch.optim.Adam([head], lr=0.3)
    for _ in range(120):
        optimizer.zero_grad()
        loss(head, embedding, labels).backward()
        optimizer.step()
    assert loss(head, embedding, labels).item() < 0.01
    assert torch.equal((head > 0).double(), labels)


def test_what_is_known_of_rows_and_of_numbers() -> None:
    rows = torch.tensor([[[0.0, 1.0], [NAN, NAN]], [[1.0, 1.0], [0.0, 0.0]]])
    assert known(rows, 2).tolist() == [[True, False], [True, True]]
    assert known(rows[..., 0], 2).tolist() == [[True, False], [True, True]]
    assert known(torch.tensor([[0, -1]]), 2).tolist() == [[True, False]]

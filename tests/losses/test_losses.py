"""Each loss derived again with plain loops, gradients by finite differences."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from affuse.errors import AffuseError
from affuse.losses import CenterLoss, ContrastiveCenterLoss, CrossEntropyLoss, WeightedSum

CLASSES, DIM, BATCH = 4, 6, 9


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(BATCH, CLASSES, generator=generator, dtype=torch.float64, requires_grad=True)
    embedding = torch.randn(BATCH, DIM, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(0, CLASSES, (BATCH,), generator=generator)
    return logits, embedding, labels


def squared_distance(x: torch.Tensor, c: torch.Tensor):
    return sum((a - b) ** 2 for a, b in zip(x.tolist(), c.tolist(), strict=True))


def cross_entropy_by_hand(loss: Any, logits: Any, embedding: Any, labels: Any):
    values = []
    for row, label in zip(logits, labels, strict=True):
        exponentials = [v.exp().item() for v in row.detach()]
        values.append(-torch.tensor(exponentials[int(label)] / sum(exponentials)).double().log().item())
    return values


def center_by_hand(loss: Any, logits: Any, embedding: Any, labels: Any):
    """Eq. 1."""
    return [0.5 * squared_distance(x, loss.centers[y]) for x, y in zip(embedding, labels, strict=True)]


def contrastive_center_by_hand(loss: Any, logits: Any, embedding: Any, labels: Any):
    """Eq. 2."""
    values = []
    for x, y in zip(embedding, labels, strict=True):
        others = sum(squared_distance(x, loss.centers[j]) for j in range(CLASSES) if j != int(y))
        values.append(0.5 * squared_distance(x, loss.centers[y]) / (others + loss.theta))
    return values


CASES = [
    (CrossEntropyLoss, {}, cross_entropy_by_hand),
    (CenterLoss, {}, center_by_hand),
    (ContrastiveCenterLoss, {}, contrastive_center_by_hand),
    (ContrastiveCenterLoss, {"theta": 0.25}, contrastive_center_by_hand),
]


@pytest.mark.parametrize(("kind", "options", "by_hand"), CASES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_value_equals_plain_loops(
    kind: type[Any],
    options: dict[str, Any],
    by_hand: Callable[..., Any],
    reduction: str,
    batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    loss = kind(CLASSES, DIM, reduction=reduction, **options).double()
    expected = torch.tensor(by_hand(loss, *batch), dtype=torch.float64)
    if reduction != "none":
        expected = expected.sum() / (BATCH if reduction == "mean" else 1)
    torch.testing.assert_close(loss(*batch).detach(), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("kind", "options", "by_hand"), CASES)
def test_gradients_equal_finite_differences(
    kind: type[Any],
    options: dict[str, Any],
    by_hand: Callable[..., Any],
    batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    logits, embedding, labels = batch
    loss = kind(CLASSES, DIM, **options).double()
    centers = list(loss.parameters())

    def value(logits: Any, embedding: Any, *centers: Any):
        if centers:
            return torch.func.functional_call(loss, {"centers": centers[0]}, (logits, embedding, labels))
        return loss(logits, embedding, labels)

    assert torch.autograd.gradcheck(value, (logits, embedding, *centers))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("kind", [CrossEntropyLoss, CenterLoss, ContrastiveCenterLoss])
def test_every_dtype_trains(
    kind: type[Any], dtype: Any, batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
) -> None:
    logits, embedding, labels = batch
    loss = kind(CLASSES, DIM).to(dtype)
    logits, embedding = (t.detach().to(dtype).requires_grad_() for t in (logits, embedding))
    value = loss(logits, embedding, labels)
    assert value.dtype == dtype
    value.backward()
    moved = logits if kind is CrossEntropyLoss else embedding
    assert torch.isfinite(moved.grad).all()
    assert moved.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", [CrossEntropyLoss, CenterLoss, ContrastiveCenterLoss])
def test_blank_labels_are_left_out(
    kind: type[Any], batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
) -> None:
    logits, embedding, labels = batch
    loss = kind(CLASSES, DIM).double()
    some = labels.clone()
    some[::2] = -1
    torch.testing.assert_close(
        loss(logits, embedding, some), loss(logits[1::2], embedding[1::2], labels[1::2])
    )
    nothing = loss(logits, embedding, torch.full_like(labels, -1))
    nothing.backward()
    assert nothing.item() == 0


def test_sum_makes_the_center_term_weigh_n_times_as_much(
    batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    """Why the default is mean: eq. 3 is a mean, eq. 1 prints a sum."""
    mean, total = CenterLoss(CLASSES, DIM).double(), CenterLoss(CLASSES, DIM, reduction="sum").double()
    total.centers.data = mean.centers.data
    torch.testing.assert_close(total(*batch), BATCH * mean(*batch))


def test_weighted_sum_is_equations_4_and_5(batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    cross_entropy, center = CrossEntropyLoss(CLASSES, DIM), ContrastiveCenterLoss(CLASSES, DIM).double()
    both = WeightedSum([(cross_entropy, 1.0), (center, 0.5)])
    torch.testing.assert_close(both(*batch), cross_entropy(*batch) + 0.5 * center(*batch))
    assert both.reads_logits
    assert both.centered is center
    assert not WeightedSum([(center, 1.0)]).reads_logits


def test_contrastive_center_pulls_to_its_own_center_and_pushes_from_the_others() -> None:
    loss = ContrastiveCenterLoss(2, 1)
    loss.centers.data = torch.tensor([[0.0], [2.0]])
    x = torch.tensor([[0.5]], requires_grad=True)
    loss(torch.zeros(1, 2), x, torch.tensor([0])).backward()
    # f = x^2 / (2 ((x-2)^2 + 1)); f' at 0.5 by the quotient rule
    own, other = 0.5**2, 1.5**2 + 1
    assert x.grad.item() == pytest.approx((2 * 0.5 * other - own * 2 * (0.5 - 2)) / (2 * other**2))
    assert x.grad.item() > 0


def test_close_embeddings_keep_their_digits() -> None:
    """|x|^2 - 2xc + |c|^2 gives 0 or less here in float32."""
    loss = CenterLoss(2, 1)
    loss.centers.data = torch.tensor([[1000.0], [0.0]])
    x = torch.tensor([[1000.001]])
    expected = 0.5 * (float(x) - 1000.0) ** 2
    assert loss(torch.zeros(1, 2), x, torch.tensor([0])).item() == pytest.approx(expected, rel=1e-5)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(AffuseError, match="CenterLoss: num_classes is 1; it must be at least 2"):
        CenterLoss(1, DIM)
    with pytest.raises(AffuseError, match=r"theta is 0\.0; it must be above 0"):
        ContrastiveCenterLoss(CLASSES, DIM, theta=0.0)
    with pytest.raises(AffuseError, match="reduction is 'average'"):
        CrossEntropyLoss(CLASSES, DIM, reduction="average")
    with pytest.raises(AffuseError, match="at least one"):
        WeightedSum([])


@pytest.mark.parametrize("kind", [CrossEntropyLoss, CenterLoss, ContrastiveCenterLoss])
def test_every_loss_takes_its_arguments_in_one_order(kind: type[Any]) -> None:
    assert kind(CLASSES, DIM, "sum").reduction == "sum"
    with pytest.raises(AffuseError, match=r"reduction is 0\.5, which is not one of"):
        kind(CLASSES, DIM, 0.5)

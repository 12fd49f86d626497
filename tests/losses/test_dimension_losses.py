"""Losses of ratings: derived again with plain loops, gradients by finite differences, blanks, batches of one."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from affuse.errors import AffuseError
from affuse.losses import (
    AbsoluteErrorLoss,
    ConcordanceLoss,
    DimensionLoss,
    HuberLoss,
    SquaredErrorLoss,
    WeightedSum,
)

NAN = float("nan")
KINDS = [ConcordanceLoss, SquaredErrorLoss, AbsoluteErrorLoss, HuberLoss]


def draw(n: int, seed: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs (n, 1), embedding (n, 4), ratings (n,), in double precision."""
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(n, 1, generator=generator, dtype=torch.float64, requires_grad=True)
    ratings = torch.rand(n, generator=generator, dtype=torch.float64) * 2 - 1
    return outputs, torch.zeros(n, 4, dtype=torch.float64), ratings


def concordance(x: list[float], y: list[float]) -> float:
    """Lin 1989: 2 s_xy / (s_xx + s_yy + (mean x - mean y)^2), moments divided by n."""
    n = len(x)
    mx, my = sum(x) / n, sum(y) / n
    sxy = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / n
    sxx, syy = sum((a - mx) ** 2 for a in x) / n, sum((b - my) ** 2 for b in y) / n
    return 2 * sxy / (sxx + syy + (mx - my) ** 2)


def huber(error: float, delta: float) -> float:
    return error**2 / 2 if abs(error) <= delta else delta * (abs(error) - delta / 2)


@pytest.mark.parametrize("blanks", [0, 3])
def test_values_equal_plain_loops(blanks: int) -> None:
    outputs, embedding, ratings = draw(11)
    ratings[:blanks] = NAN
    x, y = outputs.squeeze(-1).tolist()[blanks:], ratings.tolist()[blanks:]
    errors = [a - b for a, b in zip(x, y, strict=True)]
    expected = {
        ConcordanceLoss(1, 4): 1 - concordance(x, y),
        SquaredErrorLoss(1, 4): sum(e * e for e in errors) / len(errors),
        AbsoluteErrorLoss(1, 4): sum(abs(e) for e in errors) / len(errors),
        HuberLoss(1, 4, delta=0.3): sum(huber(e, 0.3) for e in errors) / len(errors),
    }
    for loss, value in expected.items():
        assert loss(outputs, embedding, ratings).item() == pytest.approx(value, rel=1e-12), type(loss)


@pytest.mark.parametrize("kind", KINDS)
def test_sum_and_shares_are_the_mean_times_the_number_of_ratings(kind: type[Any]) -> None:
    outputs, embedding, ratings = draw(8)
    ratings[2] = NAN
    mean = kind(1, 4)(outputs, embedding, ratings)
    shares = kind(1, 4, "none")(outputs, embedding, ratings)
    assert shares.shape == (7,)
    torch.testing.assert_close(shares.mean(), mean)
    torch.testing.assert_close(kind(1, 4, "sum")(outputs, embedding, ratings), 7 * mean)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ratings", [None, [0.25], [0.5, 0.5, 0.5], [0.5, NAN, -0.25]])
def test_gradients_equal_finite_differences(kind: type[Any], ratings: list[float] | None) -> None:
    outputs, embedding, drawn = draw(len(ratings or range(7)))
    given = drawn if ratings is None else torch.tensor(ratings, dtype=torch.float64)
    loss = kind(1, 4)
    assert torch.autograd.gradcheck(lambda x: loss(x, embedding, given), outputs)


@pytest.mark.parametrize("kind", KINDS)
def test_order_changes_nothing_and_blanks_count_for_nothing(kind: type[Any]) -> None:
    outputs, embedding, ratings = draw(9)
    ratings[4] = NAN
    loss, order = kind(1, 4), torch.randperm(9, generator=torch.Generator().manual_seed(0))
    value = loss(outputs, embedding, ratings)
    torch.testing.assert_close(loss(outputs[order], embedding, ratings[order]), value)
    (gradient,) = torch.autograd.grad(value, outputs)
    assert gradient[4].item() == 0
    assert bool((gradient[torch.arange(9) != 4] != 0).all())
    kept = torch.arange(9) != 4
    torch.testing.assert_close(loss(outputs[kept], embedding[kept], ratings[kept]), value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_without_ratings_gives_zero_with_a_graph(kind: type[Any]) -> None:
    outputs, embedding, ratings = draw(3)
    value = kind(1, 4)(outputs, embedding, ratings * NAN)
    (gradient,) = torch.autograd.grad(value, outputs)
    assert value.item() == 0
    assert gradient.tolist() == [[0.0]] * 3


@pytest.mark.parametrize("ratings", [[0.5], [0.5, 0.5, 0.5]])
@pytest.mark.parametrize("kind", KINDS)
def test_ratings_all_alike_lead_the_answers_to_them(kind: type[Any], ratings: list[float]) -> None:
    """By the formula 1 - CCC would be 1 there, whatever is answered, or 0 / 0."""
    y = torch.tensor(ratings)
    x = torch.full((len(ratings), 1), -0.9, requires_grad=True)
    optimizer, loss = torch.optim.SGD([x], lr=0.2 * len(ratings)), kind(1, 4)
    for _ in range(200):
        optimizer.zero_grad()
        value = loss(x, torch.zeros(len(ratings), 4), y)
        assert 0 <= value.item() < 2
        value.backward()
        optimizer.step()
    assert x.squeeze(-1).tolist() == pytest.approx(ratings, abs=0.25)
    exact = y[:, None].clone().requires_grad_()
    value = loss(exact, torch.zeros(len(ratings), 4), y)
    (gradient,) = torch.autograd.grad(value, exact)
    assert value.item() == 0
    assert bool((gradient == 0).all())


def test_concordance_is_the_same_on_any_scale_and_sees_a_shift() -> None:
    outputs, embedding, ratings = draw(12)
    loss = ConcordanceLoss(1, 4)
    value = loss(outputs, embedding, ratings)
    torch.testing.assert_close(loss(3 * outputs + 2, embedding, 3 * ratings + 2), value)
    perfect = loss(ratings[:, None] + 0.5, embedding, ratings).item()
    variance = ratings.var(correction=0).item()
    assert perfect == pytest.approx(0.25 / (2 * variance + 0.25))  # correlation 1, agreement less


def test_sums_of_losses_of_ratings() -> None:
    outputs, embedding, ratings = draw(6)
    both = WeightedSum([(ConcordanceLoss(1, 4), 1.0), (SquaredErrorLoss(1, 4), 0.5)])
    expected = ConcordanceLoss(1, 4)(outputs, embedding, ratings)
    expected = expected + 0.5 * SquaredErrorLoss(1, 4)(outputs, embedding, ratings)
    torch.testing.assert_close(both(outputs, embedding, ratings), expected)
    assert both.reads_logits
    assert both.centered is None


def test_a_loss_of_ratings_has_one_output_and_a_positive_delta() -> None:
    with pytest.raises(AffuseError, match="num_classes"):
        SquaredErrorLoss(4, 4)
    with pytest.raises(AffuseError, match="delta"):
        HuberLoss(1, 4, delta=0.0)
    assert issubclass(HuberLoss, DimensionLoss)
    assert math.isclose(HuberLoss(1, 4).delta, 0.5)

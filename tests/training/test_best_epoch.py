"""Which epoch is the best, where an epoch's numbers are no numbers."""

from __future__ import annotations

import math

import pytest

from affuse.recipe import Training
from affuse.training.best_epoch import BestEpoch


def chosen(criterion: str, losses: list[float], baccs: list[float] | None = None) -> int:
    best = BestEpoch(Training.model_validate({"criterion": criterion}))
    for i, loss in enumerate(losses):
        row = {"epoch": i + 1, "validation_loss_emotion": loss, "validation_last_batch": loss}
        best.is_better(row | {"validation_bacc_emotion": baccs[i] if baccs else 0.5})
    return best.epoch


@pytest.mark.parametrize("criterion", ["loss", "last_batch", "bacc"])
@pytest.mark.parametrize("last", [math.nan, math.inf])
def test_an_epoch_whose_loss_is_no_number_is_not_the_best(criterion: str, last: float) -> None:
    assert chosen(criterion, [2.0, 1.0, last]) == 2
    assert chosen(criterion, [last, 2.0, 1.0]) == 3


def test_nor_where_its_classes_are_right_by_chance() -> None:
    assert chosen("bacc", [1.0, math.nan], [0.5, 0.6]) == 1
    assert chosen("bacc", [math.nan, 1.0], [0.6, 0.5]) == 2


def test_the_first_stays_where_none_has_numbers() -> None:
    assert chosen("loss", [math.nan, math.nan]) == 1


def test_a_regression_counts_by_its_ccc() -> None:
    """Beside BACC in their mean; with criterion ccc alone; without a rating the last epoch counts."""
    rows = [(0.9, 0.1), (0.5, 0.7), (0.6, 0.5)]
    found = {}
    for criterion in ("bacc", "ccc"):
        best = BestEpoch(Training.model_validate({"criterion": criterion}))
        for i, (bacc, ccc) in enumerate(rows):
            row = {"epoch": i + 1, "validation_loss_emotion": 1.0, "validation_acc_emotion": 1.0}
            best.is_better(row | {"validation_bacc_emotion": bacc, "validation_ccc_valence": ccc})
        found[criterion] = best.epoch
    assert found == {"bacc": 2, "ccc": 2}
    best = BestEpoch(Training.model_validate({"criterion": "bacc"}))
    for i, (bacc, ccc) in enumerate([(0.9, 0.3), (0.5, 0.6)]):
        best.is_better(
            {
                "epoch": i + 1,
                "validation_loss_emotion": 1.0,
                "validation_bacc_emotion": bacc,
                "validation_ccc_v": ccc,
            }
        )
    assert best.epoch == 1
    assert chosen("ccc", [1.0, 2.0, 3.0]) == 3

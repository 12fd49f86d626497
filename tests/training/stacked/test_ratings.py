"""Ratings in stacks: what Lightning trains, bits that do not depend on neighbours, blanks, criteria, late fusion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

import affuse
from affuse.evaluation.dimensions import measure_dimension, measure_ratings
from affuse.evaluation.many_runs import score_ratings
from affuse.losses import DimensionLoss
from affuse.parts import registry
from affuse.training.fold import train_fold
from affuse.training.run import Wanted
from affuse.training.runfolder import RunFolder, RunResult
from affuse.training.stacked.plan import stack_key
from affuse.training.stacked.reasons import why_not
from affuse.training.stacked.runs import train_stacked
from affuse.training.stacked.training import Saving
from frozen_runs import (
    BOTH_TASKS,
    FILES,
    Place,
    assert_close,
    both_ways,
    bytes_of,
    cell,
    prepared,
    rated,
    stack,
)

BOTH = rated({"valence": "ccc", "arousal": "mse"})
HUBER = "[{name: huber, reduction: sum, options: {delta: 0.2}}]"
TRAINED = {
    "a rating between two tasks of classes": [*BOTH, BOTH_TASKS],
    "sums of losses": rated({"valence": "ccc+0.5*mse", "arousal": "0.3*mae+2*ccc"}),
    "Huber's loss as a sum": rated({"valence": HUBER, "arousal": "mae"}),
    "batches without a rating": [*BOTH, "training.batch_size=2", "optimizer.clip_norm=0.5"],
    "batches of one": [*rated({"valence": "ccc"}), "training.batch_size=1", "epochs=2"],
    "criterion ccc": [*BOTH, "training.criterion=ccc", "training.patience=2", "epochs=8"],
    "criterion loss": [*BOTH, "training.criterion=loss"],
    "criterion last_batch": [*BOTH, "training.criterion=last_batch", "training.batch_size=3"],
    "select test": [*BOTH, "training.select=test", "training.criterion=acc"],
    "no validation part": [*BOTH, "protocol.validation=null"],
    "late fusion": [*BOTH, "fusion.name=late", "fusion.options={width: 16}"],
    "sequences": [*BOTH],
    "centers beside": [*BOTH, "loss=center"],
    "modality dropout": [*BOTH, "modalities.audio.dropout=0.4"],
}  # fmt: skip
WEIGHTINGS = ["static", "softmax", "uncertainty", "geometric", "imtl_l", "dwa", "rlw"]


def close(
    place: Place, folder: Path, *changes: str, rtol: float = 1e-5, recipe: str = "server"
) -> pd.DataFrame:
    stacked, lightning = both_ways(prepared(place, *changes, recipe=recipe), folder)
    assert (stacked.best_epoch, stacked.epochs) == (lightning.best_epoch, lightning.epochs)
    for task, metrics in stacked.metrics.items():
        assert list(metrics) == list(lightning.metrics[task])
    first, second = (pd.read_csv(folder / way / "predictions.csv") for way in ("stacked", "lightning"))
    assert list(first) == list(second)
    for task in ("valence", "arousal"):
        if task in first:
            pd.testing.assert_series_equal(first[task], second[task])
    table = assert_close(folder, rtol)
    assert list(table) == list(pd.read_csv(folder / "lightning" / "metrics.csv"))
    return table


@pytest.mark.parametrize("name", TRAINED)
def test_a_stack_of_one_trains_what_lightning_trains(place: Place, tmp_path: Path, name: str) -> None:
    close(place, tmp_path, *TRAINED[name], recipe="3m-ser" if name == "sequences" else "server")


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_weightings(place: Place, tmp_path: Path, name: str) -> None:
    changes = [BOTH_TASKS, *BOTH, "training.batch_size=4", f"weighting.name={name}", "weighting.lr=0.05"]
    close(place, tmp_path, *changes, rtol=1e-4)


def test_ratings_without_classes(place: Place, tmp_path: Path) -> None:
    table = close(place, tmp_path, *BOTH, "tasks.emotion=null", "epochs=6")
    result = RunFolder(tmp_path / "stacked").result()
    assert result is not None
    means = table[["validation_ccc_valence", "validation_ccc_arousal"]].mean(axis=1)
    assert means[result.best_epoch - 1] == pytest.approx(means.max())
    predictions = RunFolder(tmp_path / "stacked").predictions()
    assert result.metrics["valence"] == pytest.approx(
        measure_dimension(predictions, "valence", "test")._asdict()
    )


# settings and fold of a run; the losses of one task differ, the weightings, seeds, folds, rates and blanks too
NEIGHBOURS = [
    (["tasks.valence.loss=mse", "lr=0.1", "training.patience=1"], 1),
    (["tasks.valence.loss=0.5*ccc+mae", "tasks.arousal.loss=huber", "weighting.name=uncertainty"], 2),
    ([f"tasks.valence.loss={HUBER}", "weighting.name=rlw", "training.criterion=last_batch"], 0),
    (["tasks.valence.range=[0, 6]", "weighting.name=geometric", "epochs=2"], 3),
    (
        [
            "tasks.arousal.loss=ccc",
            "training.criterion=ccc",
            "weighting.name=softmax",
            "optimizer.clip_norm=0.3",
        ],
        4,
    ),
    (["loss=cross_entropy+center", "modalities.audio.dropout=0.5", "optimizer.weight_decay=0.1"], 5),
]
PROMISED = {
    "concat": [],
    "late": ["fusion.name=late", "fusion.options={width: 16}"],
    "odd widths": ["fusion.options.width=13", "head.hidden=7", "training.batch_size=5"],
    "one at a time": ["head.hidden=null", "training.batch_size=1", "epochs=1"],
    "mixed precision": ["training.precision=bf16-mixed"],
}


@pytest.mark.parametrize("name", PROMISED)
def test_a_runs_bits_do_not_depend_on_what_it_is_stacked_with(
    place: Place, tmp_path: Path, name: str
) -> None:
    experiment = prepared(place, "epochs=3", *BOTH, *PROMISED[name])
    own = ["weighting.name=softmax", "weighting.lr=0.05", "tasks.arousal.loss=ccc+0.1*mse"]
    train_fold(experiment, experiment.recipe.changed(own), 0, tmp_path / "alone")
    alone = bytes_of(tmp_path / "alone")
    assert set(alone) == set(FILES)
    for first in (True, False):
        pair = [
            cell(experiment, tmp_path / f"pair{first}", *own),
            cell(experiment, tmp_path / f"b{first}", fold=1),
        ]
        stack(pair if first else pair[::-1])
        assert bytes_of(tmp_path / f"pair{first}") == alone
    others = [
        cell(experiment, tmp_path / f"n{i}", *changes, seed=i, fold=fold)
        for i, (changes, fold) in enumerate(NEIGHBOURS)
    ]
    found = stack([*others[3:], cell(experiment, tmp_path / "seven", *own), *others[:3]])
    assert all(isinstance(one, RunResult) for one in found.values()), found
    assert bytes_of(tmp_path / "seven") == alone
    for i, (changes, fold) in enumerate(NEIGHBOURS[:3] if name == "concat" else []):
        train_fold(
            experiment, experiment.recipe.changed([*changes, f"seed={i}"]), fold, tmp_path / "again" / str(i)
        )
        assert bytes_of(tmp_path / "again" / str(i)) == bytes_of(tmp_path / f"n{i}")


def test_an_interrupted_stack_goes_on(place: Place, tmp_path: Path) -> None:
    experiment = prepared(place, *BOTH, "epochs=5", "training.criterion=ccc")
    changes = [["weighting.name=uncertainty"], ["tasks.valence.loss=mae", "training.patience=2"]]

    def cells(folder: Path) -> list:  # type: ignore[type-arg]
        return [cell(experiment, folder / str(i), *one, fold=i) for i, one in enumerate(changes)]

    stack(cells(tmp_path / "whole"))
    stopped = cells(tmp_path / "stopped")
    epochs: list[int] = []
    stopped[0].report = lambda epoch, row: epochs.append(epoch)
    with pytest.raises(KeyboardInterrupt):
        for _ in train_stacked(stopped, Wanted(), lambda: len(epochs) > 1, Saving(every=0)):
            pass
    assert all(RunFolder(one.folder).has_state for one in stopped)
    stack(stopped)
    for i in range(len(changes)):
        assert bytes_of(tmp_path / "whole" / str(i)) == bytes_of(tmp_path / "stopped" / str(i))


def test_a_rating_is_not_stacked_with_classes_of_its_name(place: Place) -> None:
    keys = {
        stack_key(one.recipe, one)
        for one in (
            prepared(place),
            prepared(place, *BOTH),
            prepared(place, *rated({"valence": "ccc"})),
            prepared(place, BOTH_TASKS),
        )
    }
    assert len(keys) == 4


def test_ccc_of_many_runs_is_that_of_each() -> None:
    random = np.random.default_rng(0)
    ratings, answers = random.normal(size=(2, 6, 40))
    ratings[random.random(ratings.shape) < 0.3] = np.nan
    ratings[4], ratings[5] = np.nan, 0.1  # no rating; all alike, and beside their mean by a bit
    answers[5] = 0.1
    given = torch.from_numpy(answers), torch.from_numpy(ratings)
    found = score_ratings(*given)
    assert found.dtype == torch.float64
    for run in range(4):
        there = ~np.isnan(ratings[run])
        expected = measure_ratings(ratings[run][there], answers[run][there]).ccc
        assert float(found[run]) == pytest.approx(expected, abs=1e-12)
    assert found[4:].isnan().all()
    wide = [torch.nn.functional.pad(one, (0, 77), value=torch.nan) for one in given]
    for run in range(4):  # neither neighbours nor what fills a row up change a bit
        assert torch.equal(score_ratings(given[0][run : run + 1], given[1][run : run + 1])[0], found[run])
        assert torch.equal(score_ratings(wide[0].nan_to_num(), wide[1])[run], found[run])
    units = score_ratings(given[0] * 2 + 3, given[1] * 2 + 3)  # any scale that both have
    torch.testing.assert_close(units[:4], found[:4])


class LogCosh(DimensionLoss):
    """Knows of one network."""

    def of_ratings(self, outputs: Tensor, ratings: Tensor) -> Tensor:
        return (outputs - ratings).cosh().log()


class Shifted(DimensionLoss):
    """Says that it stacks, and takes the runs for utterances."""

    stacks = True

    def of_ratings(self, outputs: Tensor, ratings: Tensor) -> Tensor:
        return (outputs - ratings).square() * len(ratings)


def test_losses_of_ones_own(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    affuse.register("losses", "log_cosh", LogCosh)
    affuse.register("losses", "shifted", Shifted)
    close(place, tmp_path, *rated({"valence": "log_cosh", "arousal": "ccc+log_cosh"}))
    experiment = prepared(place, *rated({"valence": "shifted"}))
    assert "declares stacks, and computes a stack otherwise" in why_not(experiment.recipe, experiment)

"""A run whose loss leaves the numbers fails alone, with the sentence and the weights of Lightning's way."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

import affuse
from affuse.training.failures import NonFiniteLoss
from affuse.training.fold import train_fold
from affuse.training.runfolder import RunFolder, RunResult
from affuse.training.stacked.training import Saving
from frozen_runs import BOTH_TASKS, Place, bytes_of, cell, compared, prepared, stack

DIVERGES = ["loss=center", "lr=1e30", "training.schedule=null"]


@pytest.mark.parametrize("models", [True, False])
def test_one_of_four_diverges(place: Place, tmp_path: Path, models: bool) -> None:
    experiment = prepared(place, "epochs=4", "training.batch_size=99")
    good = {
        "one": (["loss=center"], 0),
        "two": (["loss=cross_entropy+center", "seed=3"], 1),
        "three": (["loss=contrastive_center", "training.patience=1"], 2),
    }

    def cells(folder: Path) -> list:  # type: ignore[type-arg]
        return [
            cell(experiment, folder / name, *changes, fold=fold) for name, (changes, fold) in good.items()
        ]

    stack(cells(tmp_path / "without"), model=models)
    bad = cell(experiment, tmp_path / "bad", *DIVERGES)
    three = cells(tmp_path / "with")
    found = stack([*three[:2], bad, three[2]], model=models, saving=Saving(every=0))
    error = found.pop(bad.folder)
    assert isinstance(error, NonFiniteLoss)
    assert all(isinstance(one, RunResult) for one in found.values())
    for name in good:
        assert bytes_of(tmp_path / "without" / name) == bytes_of(tmp_path / "with" / name)
    lightning = experiment.recipe.changed([*DIVERGES, "training.engine=lightning"])
    with pytest.raises(NonFiniteLoss) as caught:
        train_fold(experiment, lightning, 0, tmp_path / "lightning", keep_model=models)
    assert str(error) == str(caught.value).replace(str(tmp_path / "lightning"), str(bad.folder))
    assert "in the batch of s" in str(error)
    assert ("are kept in" in str(error)) == models
    assert not RunFolder(bad.folder).finished
    tables = [pd.read_csv(folder / "metrics.csv") for folder in (bad.folder, tmp_path / "lightning")]
    pd.testing.assert_frame_equal(*tables, rtol=1e-5)
    assert len(tables[0]) >= 1
    assert (bad.folder / "model").is_dir() == models
    if models:
        assert affuse.load(bad.folder / "model").defaults.seen is not None
        kept, other = (
            load_file(folder / "model" / "model.safetensors")
            for folder in (bad.folder, tmp_path / "lightning")
        )
        for name, tensor in kept.items():
            assert tensor.allclose(other[name], rtol=1e-4), name


def test_the_batch_is_named_in_which_it_happened(place: Place, tmp_path: Path) -> None:
    """In the first epoch, of several batches, the last one not full; nothing is kept of it."""
    experiment = prepared(place, BOTH_TASKS, *DIVERGES, "training.batch_size=5")
    with pytest.raises(NonFiniteLoss) as stacked:
        train_fold(experiment, experiment.recipe, 0, tmp_path / "stacked")
    lightning = experiment.recipe.changed(["training.engine=lightning"])
    with pytest.raises(NonFiniteLoss) as other:
        train_fold(experiment, lightning, 0, tmp_path / "lightning")
    assert str(stacked.value) == str(other.value)
    assert "in epoch 1" in str(stacked.value)
    assert not (tmp_path / "stacked" / "model").exists()


def test_all_of_a_stack_diverge(place: Place, tmp_path: Path) -> None:
    experiment = prepared(place, *DIVERGES)
    found = stack([cell(experiment, tmp_path / str(seed), seed=seed) for seed in range(3)])
    assert [type(one) for one in found.values()] == [NonFiniteLoss] * 3


def test_a_comparison_lists_it_and_trains_the_others(place: Place, tmp_path: Path) -> None:
    over = ["loss=center,cross_entropy", "optimizer.lr=1e-2,1e30"]
    found = compared(place, tmp_path / "out", over, "training.schedule=null", folds=[0])
    failed = pd.read_csv(tmp_path / "out" / "failed.csv")
    assert failed["run"].str.contains("1e30").all()
    assert failed["cause"].str.contains("The loss became").all()
    assert len(found.failed) + len(found.results) == 4
    assert len(found.failed) >= 1
    again = compared(place, tmp_path / "out", over, "training.schedule=null", folds=[0])
    assert [cause for _, cause in again.failed] == [cause for _, cause in found.failed]


@pytest.mark.parametrize("engine", ["auto", "lightning"])
@pytest.mark.parametrize("epochs", [1, 3])
def test_weights_that_the_only_step_of_an_epoch_ruined(
    place: Place, tmp_path: Path, engine: str, epochs: int
) -> None:
    """The loss was a number before the step; what is chosen after one epoch has none to answer with."""
    experiment = prepared(place, "training.batch_size=500", f"epochs={epochs}", "loss=cross_entropy")
    recipe = experiment.recipe.changed(["lr=1e30", f"training.engine={engine}"])
    with pytest.raises(NonFiniteLoss, match=r"became (nan|NaN)"):
        train_fold(experiment, recipe, 0, tmp_path / "run")
    assert RunFolder(tmp_path / "run").has_model == (epochs == 3)
    assert not RunFolder(tmp_path / "run").finished


def test_neighbours_of_such_a_run_end_well(place: Place, tmp_path: Path) -> None:
    experiment = prepared(place, "training.batch_size=500", "epochs=1", "loss=cross_entropy")
    cells = [cell(experiment, tmp_path / lr, f"lr={lr}") for lr in ("1e-2", "1e30", "1e-3")]
    found = {folder.name: one for folder, one in stack(cells).items()}
    assert isinstance(found["1e30"], NonFiniteLoss)
    assert isinstance(found["1e-2"], RunResult)
    assert isinstance(found["1e-3"], RunResult)

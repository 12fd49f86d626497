"""Tasks of several labels in stacks: what Lightning trains, and bits that do not depend on neighbours."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor

import affuse
from affuse.losses import TaskLoss
from affuse.parts import registry
from affuse.training.fold import train_fold
from affuse.training.runfolder import RunResult
from frozen_runs import FILES, Place, assert_close, both_ways, bytes_of, cell, prepared, rated, stack

SEVERAL = "tasks.moods={kind: multilabel}"
TRAINED = {
    "beside classes and a rating": [SEVERAL, *rated({"valence": "ccc"})],
    "batches without a label": [SEVERAL, "training.batch_size=2", "optimizer.clip_norm=0.5"],
    "criterion macro_f1": [SEVERAL, "training.criterion=macro_f1", "training.patience=2", "epochs=8"],
    "late fusion": [SEVERAL, "fusion.name=late", "fusion.options={width: 16}"],
    "uncertainty": [SEVERAL, *rated({"valence": "mse"}), "weighting.name=uncertainty", "weighting.lr=0.05"],
    "a sum": ["tasks.moods={kind: multilabel, loss: [{name: binary_cross_entropy, reduction: sum}]}"],
    "last batch": [SEVERAL, "training.criterion=last_batch", "training.batch_size=7"],
}


@pytest.mark.parametrize("name", TRAINED)
def test_a_stack_of_one_trains_what_lightning_trains(place: Place, tmp_path: Path, name: str) -> None:
    stacked, lightning = both_ways(prepared(place, *TRAINED[name]), tmp_path)
    assert (stacked.best_epoch, stacked.epochs) == (lightning.best_epoch, lightning.epochs)
    assert stacked.metrics["moods"].keys() == lightning.metrics["moods"].keys()
    table = assert_close(tmp_path)
    assert list(table) == list(pd.read_csv(tmp_path / "lightning" / "metrics.csv"))
    assert "validation_macro_f1_moods" in table
    thresholds = [
        affuse.load(tmp_path / way / "model").defaults.thresholds for way in ("stacked", "lightning")
    ]
    assert thresholds[0]["moods"] == pytest.approx(thresholds[1]["moods"], abs=1e-5)


@pytest.mark.parametrize("fusion", ["concat", "late"])
def test_a_runs_bits_do_not_depend_on_what_it_is_stacked_with(
    place: Place, tmp_path: Path, fusion: str
) -> None:
    experiment = prepared(
        place, SEVERAL, *rated({"valence": "ccc"}), f"fusion.name={fusion}", "fusion.options={width: 16}"
    )
    train_fold(experiment, experiment.recipe, 0, tmp_path / "alone")
    alone = bytes_of(tmp_path / "alone")
    assert set(alone) == set(FILES)
    beside = [
        ["weighting.name=softmax", "training.patience=1", "lr=0.1"],
        ["tasks.valence.loss=mae", "loss=cross_entropy+center", "training.criterion=macro_f1"],
        ["epochs=2", "weighting.name=rlw"],
    ]
    cells = [cell(experiment, tmp_path / str(i), *one, fold=i + 1, seed=i) for i, one in enumerate(beside)]
    found = stack([*cells[:2], cell(experiment, tmp_path / "beside"), cells[2]])
    assert all(isinstance(one, RunResult) for one in found.values()), found
    assert bytes_of(tmp_path / "beside") == alone


class RankLoss(TaskLoss):
    """Knows of one network."""

    fits = "multilabel"
    reads_logits = True

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        return torch.nn.functional.softplus((1 - 2 * labels) * logits).sum(-1)


def test_a_loss_of_ones_own(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    affuse.register("losses", "rank", RankLoss)
    both_ways(prepared(place, "tasks.moods={kind: multilabel, loss: rank}"), tmp_path)
    assert_close(tmp_path)

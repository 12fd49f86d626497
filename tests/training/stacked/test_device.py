"""Stacks on another device than the processor: no operation meets tensors of two, and the numbers are the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import affuse
from affuse.fusion import Fusion
from affuse.fusion.pooling import pool
from affuse.parts import registry
from affuse.sequence import FeatureSequence
from affuse.training.experiment import Experiment
from affuse.training.run import Wanted
from affuse.training.runfolder import RunResult
from affuse.training.stacked.runs import StackCell, train_stacked
from affuse.training.stacked.training import Saving
from frozen_runs import BOTH_TASKS, Place, cell, prepared, rated
from pretended_device import pretended_device


class ScaledFusion(Fusion):
    """Knows of one network, and has a buffer that no file holds."""

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.join = nn.Linear(sum(widths.values()), 8)
        self.register_buffer("scale", torch.linspace(0.5, 2.0, 8), persistent=False)
        self.width = 8

    def forward(self, sequences: Mapping[str, FeatureSequence]) -> Tensor:
        means = [pool(sequence, "mean") for sequence in sequences.values()]
        return self.join(torch.cat(means, dim=-1)) * self.scale


# recipe, what all runs have, and what each has of its own
STACKS = {
    "pooled": (
        "server",
        ["fusion.name=gated", "fusion.options={width: 16}", "weighting.lr=0.05"],
        [
            ["loss=cross_entropy+center", "weighting.name=uncertainty", "modalities.text.dropout=0.3"],
            ["loss=contrastive_center", "weighting.name=dwa", "optimizer.clip_norm=1"],
            ["weighting.name=rlw", "training.criterion=last_batch"],
            ["weighting.name=softmax", "training.patience=1"],
        ],
    ),
    "sequences": ("3m-ser", [], [["loss=cross_entropy+center"]]),
    "mapped": ("server", ["fusion.name=scaled_by_a_buffer", "fusion.options={}"], [[]]),
}


@pytest.mark.parametrize("name", STACKS)
def test_a_stack_is_on_one_device(
    place: Place, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the features to the predictions, and after an interruption too."""
    monkeypatch.setattr(registry, "_registered", {})
    affuse.register("fusions", "scaled_by_a_buffer", ScaledFusion)
    recipe, common, own = STACKS[name]
    tasks = [BOTH_TASKS, *rated({"valence": "ccc+0.5*mse"})]
    experiment = prepared(place, *tasks, "epochs=2", "training.batch_size=20", *common, recipe=recipe)
    _train(_cells(experiment, own, tmp_path / "cpu"))
    with pretended_device() as device:
        clips = replace(experiment.clips, device=device)
        cells = _cells(replace(experiment, clips=clips, in_memory={}), own, tmp_path / "device")
        epochs: list[int] = []
        cells[0].report = lambda epoch, row: epochs.append(epoch)
        with pytest.raises(KeyboardInterrupt):
            for _ in train_stacked(cells, Wanted(), lambda: bool(epochs), Saving(every=0)):
                pass
        _train(cells)
        assert epochs == [1, 2]
    for one in cells:
        for file in ("metrics.csv", "predictions.csv"):
            first, second = (
                pd.read_csv(tmp_path / where / one.folder.name / file).select_dtypes("number")
                for where in ("cpu", "device")
            )
            np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-6)


def _cells(experiment: Experiment, own: list[list[str]], folder: Path) -> list[StackCell]:
    return [
        cell(experiment, folder / str(fold), *changes, fold=fold, seed=fold)
        for fold, changes in enumerate(own)
    ]


def _train(cells: list[StackCell]) -> None:
    found = [result for _, result in train_stacked(cells, Wanted())]
    assert all(isinstance(one, RunResult) for one in found), found


def test_the_pretended_device_refuses_what_a_gpu_refuses() -> None:
    here = torch.arange(3.0)
    with pretended_device() as device:
        there = here.to(device)
        assert (there + torch.tensor(1.0)).tolist() == [1.0, 2.0, 3.0]
        assert there[torch.tensor([2, 0])].tolist() == [2.0, 0.0]
        weight = torch.ones(3, device=device, requires_grad=True)
        (weight * there).sum().backward()
        assert weight.grad is not None
        assert torch.equal(weight.grad.cpu(), here)
        for attempt in (
            lambda: there + here,
            lambda: there.index_select(0, torch.tensor([1])),
            lambda: here[there.long()],
            lambda: torch.cat([there, here]),
            lambda: torch._foreach_add([torch.ones((), device=device), torch.ones(())], 1),
        ):
            with pytest.raises(RuntimeError, match="tensors of two devices"):
                attempt()

"""A stack of one trains what Lightning trains: the same numbers to rounding, whatever the recipe says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import affuse
from frozen_runs import BOTH_TASKS, Place, assert_close, both_ways, prepared

AS_CODED_CENTER = "{name: center, options: {squared: false, trained: false}}"
AS_CODED_CONTRASTIVE = (
    "{name: contrastive_center, options: {theta: 1.0e-6, ratio_of_sums: true, scale: 10, trained: false}}"
)
FUSIONS = {
    "concat": ("server", []),
    "pooled in three ways": ("server", ["fusion.options.pool={text: first, audio: mean_std}"]),
    "gated": ("server", ["fusion.name=gated", "fusion.options={width: 16}"]),
    "late": ("server", ["fusion.name=late", "fusion.options={width: 16}"]),
    "attention": ("3m-ser", ["fusion.options.dropout=0.3"]),
    "cross_attention": ("3m-ser", ["fusion.name=cross_attention", "fusion.options={width: 16, heads: 4}"]),
    "bottleneck": ("3m-ser", ["fusion.name=bottleneck", "fusion.options={width: 16, heads: 4}"]),
}
LOSSES = {
    "center": "loss=center",
    "contrastive_center": "loss=contrastive_center",
    "cross_entropy and center": "loss=cross_entropy+center",
    "cross_entropy and contrastive_center": "loss=cross_entropy+0.5*contrastive_center",
    "center as coded": f"tasks.emotion.loss=[{AS_CODED_CENTER}]",
    "contrastive_center as coded": f"tasks.emotion.loss=[{AS_CODED_CONTRASTIVE}]",
    "both as coded": "tasks.emotion.loss=[{name: cross_entropy}, {name: center, weight: 0.1, "
    "options: {squared: false, trained: false}}]",
    "sums": "tasks.emotion.loss=[{name: cross_entropy, reduction: sum}, {name: center, reduction: sum}]",
    "a term of weight 0": "loss=0*cross_entropy+center",
}
TRAINING = {
    "one utterance at a time": [BOTH_TASKS, "training.batch_size=1", "epochs=2"],
    "a last batch of one": ["training.batch_size=7"],
    "batches without gender": [
        BOTH_TASKS, "training.batch_size=2", "optimizer.weight_decay=0.1", "optimizer.clip_norm=0.5",
    ],
    "clip_norm": ["optimizer.clip_norm=0.1", "loss=cross_entropy+center"],
    "weight_decay": ["optimizer.weight_decay=0.1", "loss=cross_entropy+center"],
    "schedule": ["training.schedule={every: 1, factor: 0.3}"],
    "no schedule": ["training.schedule=null"],
    "modality dropout": ["modalities.audio.dropout=0.4", "modalities.text.dropout=0.3"],
    "nothing standardised": ["modalities.audio.standardise=false", "lr=1e-4"],
    "select test": ["training.select=test"],
    "select last": ["training.select=last"],
    "no validation part": ["protocol.validation=null"],
    "criterion acc": ["training.criterion=acc"],
    "criterion loss": ["training.criterion=loss"],
    "criterion last_batch": ["training.criterion=last_batch", BOTH_TASKS, "training.batch_size=3"],
    "patience": ["training.patience=2", "epochs=12"],
    "a support vector machine": ["tasks.emotion.classifier=svm"],
}  # fmt: skip
WEIGHTINGS = ["static", "softmax", "uncertainty", "geometric", "imtl_l", "dwa", "rlw"]


@pytest.mark.parametrize("name", FUSIONS)
def test_fusions(place: Place, tmp_path: Path, name: str) -> None:
    recipe, changes = FUSIONS[name]
    both_ways(prepared(place, *changes, recipe=recipe), tmp_path)
    assert_close(tmp_path)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_in_both_forms(place: Place, tmp_path: Path, name: str) -> None:
    both_ways(prepared(place, LOSSES[name]), tmp_path)
    assert_close(tmp_path)


@pytest.mark.parametrize("name", TRAINING)
def test_training(place: Place, tmp_path: Path, name: str) -> None:
    changes = TRAINING[name]
    stacked, lightning = both_ways(
        prepared(place, *changes), tmp_path, keep_model="tasks.emotion.classifier=svm" not in changes
    )
    assert (stacked.best_epoch, stacked.epochs) == (lightning.best_epoch, lightning.epochs)
    assert_close(tmp_path)


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_weightings_with_batches_that_lack_a_task(place: Place, tmp_path: Path, name: str) -> None:
    weights = ["weighting.options.weights={emotion: 0.7, gender: 0.3}"] if name == "static" else []
    experiment = prepared(
        place, BOTH_TASKS, "training.batch_size=2", f"weighting.name={name}", "weighting.lr=0.05", *weights
    )
    both_ways(experiment, tmp_path)
    # one step per pair of utterances: rounding grows over four dozen steps
    assert_close(tmp_path, rtol=1e-4)


def test_a_weighting_that_no_schedule_lowers(place: Place, tmp_path: Path) -> None:
    changes = ["weighting.name=softmax", "weighting.scheduled=false", "weighting.lr=0.1"]
    experiment = prepared(place, BOTH_TASKS, *changes, "training.schedule={every: 1, factor: 0.1}")
    both_ways(experiment, tmp_path)
    table = assert_close(tmp_path)
    np.testing.assert_allclose(table["lr"], [1e-2, 1e-3, 1e-4])
    steps = table["weight_emotion"].diff().abs()[1:]
    assert (steps > 1e-3).all()  # it still moves by its own rate


def test_mixed_precision(place: Place, tmp_path: Path) -> None:
    both_ways(prepared(place, "training.precision=bf16-mixed"), tmp_path)
    assert_close(tmp_path, rtol=3e-2, atol=2e-2, tables=False)


def test_features_of_half_the_size(place: Place, tmp_path: Path) -> None:
    """Lightning reads them in full precision."""
    from affuse.training.stacked.runs import features_of

    experiment = prepared(place, "training.feature_precision=bfloat16")
    both_ways(experiment, tmp_path)
    assert_close(tmp_path, rtol=3e-2, atol=2e-2, tables=False)
    half = features_of(experiment, experiment.recipe)
    whole = features_of(experiment, experiment.recipe.changed(["training.feature_precision=float32"]))
    for name, packed in half.packed.items():
        assert 2 * packed.steps.nbytes == whole.packed[name].steps.nbytes


def test_the_kept_weights_are_those_of_the_best_epoch(place: Place, tmp_path: Path) -> None:
    """Found by training exactly so long: the numbers of an epoch do not depend on those that follow."""
    experiment = prepared(place, "epochs=8", "lr=0.1")
    result, _ = both_ways(experiment, tmp_path)
    metrics = pd.read_csv(tmp_path / "stacked" / "metrics.csv")
    order = ["validation_bacc_emotion", "validation_loss_emotion", "epoch"]
    best = metrics.sort_values(order, ascending=[False, True, True]).iloc[0]
    assert result.best_epoch == best["epoch"] < 8
    both_ways(experiment, tmp_path / "shorter", f"epochs={result.best_epoch}", "training.select=last")
    first, second = (
        (folder / "stacked" / "model" / "model.safetensors").read_bytes()
        for folder in (tmp_path, tmp_path / "shorter")
    )
    assert first == second


def test_a_learnt_mix_of_layers(place: Place, tmp_path: Path) -> None:
    """Its shares are a run's own parameters; they are learnt, and kept."""
    from tiny_models import tiny_wav2vec2

    network = tiny_wav2vec2(tmp_path / "wav2vec2")
    speech = ["modalities.text=null", "modalities.audio.standardise=false"]
    options = f"modalities.audio={{encoder: speech, options: {{model: {network}, layer: mix}}}}"
    experiment = prepared(place, *speech, options, "lr=0.1")
    assert not experiment.recipe.modalities["audio"].standardise
    both_ways(experiment, tmp_path)
    assert_close(tmp_path)
    mixes = [
        affuse.load(tmp_path / way / "model").adapters["audio"].weights for way in ("stacked", "lightning")
    ]
    assert mixes[0].std() > 1e-3
    np.testing.assert_allclose(mixes[0].detach(), mixes[1].detach(), rtol=1e-4, atol=1e-6)

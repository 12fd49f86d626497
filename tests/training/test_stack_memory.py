"""Grids and features that are larger than memory: what is made of them, what is said, and that no number changes."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import psutil
import pytest

from affuse.corpora.corpus import Corpus
from affuse.models.network import Model
from affuse.recipe import Recipe
from affuse.recipe.axes import axes_of
from affuse.training.cache import FeatureCache
from affuse.training.compare import Comparison, compare
from affuse.training.experiment import Experiment, set_up
from affuse.training.fold import train_fold
from affuse.training.stacked.inputs import pooled_table
from affuse.training.stacked.memory import SHARE, Room, bytes_of_run, in_words, pooled_bytes, tables_of
from affuse.training.stacked.runs import features_of
from affuse.training.variants import make_variants
from quiet import Quiet
from small_corpus import make_corpus

SMALL = [
    "modalities.text=null", "modalities.audio.encoder=logmel", "modalities.audio.options.bands=16",
    "modalities.audio.standardise=true", "protocol.by=session", "protocol.validation.by=session",
    "epochs=2", "lr=1e-2",
]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Corpus, FeatureCache]:
    folder = tmp_path_factory.mktemp("place")
    return make_corpus(folder, speakers=6, each=2), FeatureCache(folder / "cache")


@pytest.fixture(scope="module")
def experiment(place: tuple[Corpus, FeatureCache]) -> Experiment:
    corpus, cache = place
    return set_up(corpus, Recipe.load("server", SMALL), cache, Quiet())


def free(monkeypatch: pytest.MonkeyPatch, amount: float) -> None:
    """What the machine says is free."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=int(amount)))


def run(
    place: tuple[Corpus, FeatureCache], out: Path, *changes: str, jobs: int = 1
) -> tuple[Comparison, list[str]]:
    corpus, cache = place
    progress = Quiet()
    over = axes_of(["loss=cross_entropy,cross_entropy+center"])
    variants = make_variants("server", over, [*SMALL, *changes])
    return compare(variants, corpus, out, cache, progress, jobs=jobs), progress.said


def tables(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for name in ("metrics.csv", "predictions.csv")
        for path in sorted(folder.rglob(name))
    }


def test_a_run_is_reckoned_with_all_copies_of_its_weights(experiment: Experiment) -> None:
    recipe = experiment.recipe
    weights = sum(4 * one.numel() for one in Model(recipe, experiment.labelled.spaces).parameters())
    assert 8 * weights < bytes_of_run(recipe, experiment) < 10 * weights
    larger = recipe.changed(["training.batch_size=64"])
    more = bytes_of_run(larger, experiment) - bytes_of_run(recipe, experiment)
    # of every utterance, at least its features, the hidden layer and the logits, with their gradients
    assert more > 2 * 4 * 32 * (32 + recipe.head.hidden + 3)


def test_runs_get_half_of_what_features_leave(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_run = bytes_of_run(experiment.recipe, experiment)
    free(monkeypatch, 1000 + 10.5 * of_run / SHARE)
    assert Room.of(experiment.recipe, experiment, 1000) == (of_run, int(1000 + 10.5 * of_run / SHARE), 10)
    free(monkeypatch, 0)
    assert Room.of(experiment.recipe, experiment, 1000).runs == 1


@pytest.mark.parametrize("changes", [[], ["fusion.name=gated"], ["fusion.options.pool={audio: mean_std}"]])
def test_pooled_features_are_reckoned_as_large_as_they_are(
    experiment: Experiment, changes: list[str]
) -> None:
    recipe = experiment.recipe.changed([*changes, "fusion.options.width=8"])
    with_it = replace(experiment, recipe=recipe)
    features = features_of(with_it, recipe)
    table = pooled_table(Model(recipe, experiment.labelled.spaces), features)
    held = sum(one.values.nbytes + one.present.nbytes for one in table.values())
    assert pooled_bytes(recipe, with_it) == held > 0


def test_a_stack_has_a_pooled_table_per_training_part_where_features_are_standardised() -> None:
    recipe = Recipe.load("server", SMALL)
    assert [tables_of(recipe, parts, 4) for parts in (1, 3, 9)] == [1, 3, 4]
    plain = recipe.changed(["modalities.audio.standardise=false"])
    assert [tables_of(plain, parts, 4) for parts in (1, 3, 9)] == [1, 1, 1]


def test_sequences_are_not_pooled(place: tuple[Corpus, FeatureCache]) -> None:
    corpus, cache = place
    attention = set_up(corpus, Recipe.load("3m-ser", SMALL), cache, Quiet())
    assert pooled_bytes(attention.recipe, attention) == 0


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_grid_that_does_not_fit_is_made_in_smaller_stacks_and_says_so(
    place: tuple[Corpus, FeatureCache],
    experiment: Experiment,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    jobs: int,
) -> None:
    caplog.set_level(logging.INFO, logger="affuse.training")
    _, said = run(place, tmp_path / "whole", jobs=jobs)
    assert not [one for one in said if "memory" in one]
    assert f"6 runs in {jobs} stack" in caplog.text
    of_run = bytes_of_run(experiment.recipe.changed(["loss=cross_entropy+center"]), experiment)
    pooled = jobs * 3 * pooled_bytes(experiment.recipe, experiment)
    free(monkeypatch, experiment.features_bytes + pooled + 2.6 * of_run / SHARE)
    comparison, said = run(place, tmp_path / "parts", jobs=jobs)
    assert len(comparison.results) == 6
    (sentence,) = [one for one in said if "memory" in one]
    stacks = {1: "3 stacks of up to 2, 1 at a time", 2: "6 stacks of up to 1, 2 at a time"}[jobs]
    assert sentence.startswith("6 runs of server would take ")
    assert sentence.endswith(f"are free: made in {stacks}.")
    assert tables(tmp_path / "parts") == tables(tmp_path / "whole")


def test_stacks_that_fit_one_at_a_time_only_do_not_train_side_by_side(
    place: tuple[Corpus, FeatureCache],
    experiment: Experiment,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    of_run = bytes_of_run(experiment.recipe.changed(["loss=cross_entropy+center"]), experiment)
    pooled = 2 * 3 * pooled_bytes(experiment.recipe, experiment)
    free(monkeypatch, experiment.features_bytes + pooled + 1.5 * of_run / SHARE)
    _, said = run(place, tmp_path, jobs=2)
    assert [one for one in said if one.endswith("made in 6 stacks of up to 1, 1 at a time.")]


def test_features_that_do_not_fit_are_read_from_disk_and_it_is_said_once(
    place: tuple[Corpus, FeatureCache],
    experiment: Experiment,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    run(place, tmp_path / "stacked")
    free(monkeypatch, 1.9 * experiment.features_bytes)
    _, said = run(place, tmp_path / "read")
    (sentence,) = [one for one in said if "memory" in one]
    assert sentence == (
        "server trains more slowly than it could, reading its features from disk, since they take "
        f"{in_words(experiment.features_bytes)} of memory, of which {in_words(int(1.9 * experiment.features_bytes))} "
        "are free; with training.feature_precision=bfloat16 they take half of it."
    )
    for path in (tmp_path / "stacked").rglob("metrics.csv"):
        other = pd.read_csv(tmp_path / "read" / path.relative_to(tmp_path / "stacked"))
        pd.testing.assert_frame_equal(pd.read_csv(path), other, rtol=1e-4)
    # where half of it is too much, the cure has been taken already
    free(monkeypatch, 0.9 * experiment.features_bytes)
    _, said = run(place, tmp_path / "short", "training.feature_precision=bfloat16")
    assert [one for one in said if "from disk" in one and one.endswith("are free.")]
    # half of it fits
    free(monkeypatch, 1.9 * experiment.features_bytes)
    _, said = run(place, tmp_path / "half", "training.feature_precision=bfloat16")
    assert not [one for one in said if "memory" in one and "disk" in one]


def test_one_run_says_its_way_too(
    experiment: Experiment,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    caplog.set_level(logging.INFO, logger="affuse.training")
    said: list[str] = []
    stacked = train_fold(experiment, experiment.recipe, 0, tmp_path / "a", say=said.append)
    assert caplog.messages == ["server: a stack of one."]
    caplog.clear()
    alone = experiment.recipe.changed(["training.engine=lightning"])
    found = train_fold(experiment, alone, 0, tmp_path / "b", say=said.append)
    assert caplog.messages == [
        "server with cross_entropy is not stacked, since training.engine is lightning."
    ]
    assert np.isclose(found.last_epoch["train_joint"], stacked.last_epoch["train_joint"], rtol=1e-4)
    assert said == []
    free(monkeypatch, experiment.features_bytes)
    train_fold(experiment, experiment.recipe, 0, tmp_path / "c", say=said.append)
    (sentence,) = said
    assert sentence.startswith("server trains more slowly than it could")

"""Modality dropout: its distribution, that nobody loses everything, and that it is a function of (seed, epoch)."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from affuse.recipe import Recipe
from affuse.sequence import pad
from affuse.training.cache import FeatureCache
from affuse.training.experiment import Experiment, set_up
from affuse.training.fold import train_fold
from affuse.training.lightning.callbacks import SaveResumeState
from affuse.training.modality_dropout import ModalityDropout, choose
from quiet import Quiet
from small_corpus import make_corpus

RATES = {"text": 0.3, "audio": 0.6, "face": 0.0}


def batch(count: int, present: dict[str, list[bool]] | None = None):
    """``count`` clips of every modality; ``present`` (modality -> bools) takes some away."""
    present = present or {}
    return {
        name: pad([torch.ones(2, 3) if present.get(name, [True] * count)[i] else None for i in range(count)])
        for name in RATES
    }


@pytest.mark.parametrize("present", [p for p in itertools.product([False, True], repeat=3) if any(p)])
def test_the_distribution_is_that_of_draws_repeated_until_something_stays(
    present: tuple[bool, bool, bool],
) -> None:
    """Exactly: numbers at even distances fall into each subset as often as its probability says."""
    rates, count = [0.3, 0.6, 0.1], 20_000
    uniform = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    kept = choose(uniform, torch.tensor([present] * count), torch.tensor(rates, dtype=torch.float64))
    expected = {}
    for stays in itertools.product([False, True], repeat=3):
        if any(stays) and not any(s and not p for s, p in zip(stays, present, strict=True)):
            parts = zip(stays, present, rates, strict=True)
            expected[stays] = np.prod([1 if not p else 1 - r if s else r for s, p, r in parts])
    total = sum(expected.values())
    found = pd.Series([tuple(row) for row in kept.tolist()]).value_counts(normalize=True)
    assert set(found.index) == set(expected)
    for stays, probability in expected.items():
        assert found[stays] == pytest.approx(probability / total, abs=2 / count)


def test_the_rate_of_two_modalities_is_the_documented_one() -> None:
    dropout = ModalityDropout({"text": 0.3, "audio": 0.6}, 0, 10_000)
    clips = {name: clip for name, clip in batch(10_000).items() if name != "face"}
    found = dropout(clips, torch.arange(10_000), 0)
    lost = {name: 1 - sequence.present.double().mean().item() for name, sequence in found.items()}
    assert lost["text"] == pytest.approx(0.3 * 0.4 / (1 - 0.18), abs=0.02)
    assert lost["audio"] == pytest.approx(0.6 * 0.7 / (1 - 0.18), abs=0.02)
    assert torch.stack([sequence.present for sequence in found.values()]).any(dim=0).all()


def test_what_is_lost_is_masked_and_zero_and_the_rest_untouched() -> None:
    clips = batch(200, {"text": [i % 3 > 0 for i in range(200)], "audio": [i % 5 > 0 for i in range(200)]})
    clips["face"] = clips["face"].keep(torch.arange(200) % 7 == 0)
    found = ModalityDropout(RATES, 0, 200)(clips, torch.arange(200), 3)
    before = torch.stack([s.present for s in clips.values()])
    after = torch.stack([s.present for s in found.values()])
    assert not (after & ~before).any()
    assert torch.equal(after.any(dim=0), before.any(dim=0))
    assert torch.equal(after[:, before.sum(dim=0) == 1], before[:, before.sum(dim=0) == 1])
    assert torch.equal(after[2], before[2])  # rate 0
    for name, sequence in found.items():
        lost = ~sequence.present
        assert (sequence.values[lost] == 0).all()
        assert torch.equal(sequence.values[~lost], clips[name].values[~lost])
    assert (before & ~after)[:2].any()


def test_it_depends_on_seed_epoch_and_utterance_alone() -> None:
    clips = batch(100)
    index = torch.arange(100)

    def lost(seed: Any, epoch: Any, order: Any = index):
        rows = {name: type(s)(s.values[order], s.mask[order]) for name, s in clips.items()}
        torch.manual_seed(int(order[0]))  # the global state is not used
        found = ModalityDropout(RATES, seed, 100)(rows, order, epoch)
        return torch.stack([s.present for s in found.values()], dim=1)

    base = lost(0, 0)
    order = torch.randperm(100, generator=torch.Generator().manual_seed(1))[:40]
    assert torch.equal(lost(0, 0, order), base[order])
    assert not torch.equal(lost(0, 1), base)
    assert not torch.equal(lost(1, 0), base)


def test_rates_of_zero_touch_nothing() -> None:
    clips = batch(10)
    found = ModalityDropout(dict.fromkeys(RATES, 0.0), 0, 10)(clips, torch.arange(10), 0)
    assert all(found[name] is clips[name] for name in clips)


def test_a_rate_must_leave_something() -> None:
    from affuse.errors import AffuseError

    with pytest.raises(AffuseError, match=r"modalities\.text\.dropout.*less than 1"):
        Recipe.load("server", ["modalities.text.dropout=1.0"])


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("dropout")
    corpus = make_corpus(folder, each=2)
    recipe = Recipe.parse({
        "name": "small",
        "modalities": {
            "audio": {"encoder": "logmel", "standardise": True, "options": {"bands": 16}},
            "face": {"encoder": "precomputed", "standardise": True, "options": {"name": "face"}},
        },
        "fusion": {"name": "gated", "options": {"width": 8}},
        "optimizer": {"lr": 1e-2},
        "training": {"epochs": 4, "batch_size": 16},
        "protocol": {"kind": "leave_one_group_out", "by": "session", "validation": {"fraction": 0.2}},
    })  # fmt: skip
    return set_up(corpus, recipe, FeatureCache(folder / "cache"), Quiet())


def losses(folder: Path):
    return pd.read_csv(folder / "metrics.csv")["train_loss_emotion"].tolist()


class Stop(Exception):
    pass


def test_a_run_repeats_resumes_and_differs_from_one_without(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = experiment.recipe.changed(["training.engine=lightning"])  # stacked/test_resume.py has stacks
    with_dropout = plain.changed(["modalities.*.dropout=0.4"])
    train_fold(experiment, plain, 0, tmp_path / "without")
    train_fold(experiment, with_dropout, 0, tmp_path / "whole")
    monkeypatch.setattr(
        SaveResumeState, "on_train_epoch_end", lambda self, trainer, module: self.save(trainer)
    )

    def stop(epoch: Any, row: Any):
        if epoch == 2:
            raise Stop

    with pytest.raises(Stop):
        train_fold(experiment, with_dropout, 0, tmp_path / "cut", progress=stop)
    assert (tmp_path / "cut" / "state" / "last.ckpt").is_file()
    train_fold(experiment, with_dropout, 0, tmp_path / "cut")
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    assert losses(tmp_path / "whole")[0] != losses(tmp_path / "without")[0]
    assert (tmp_path / "cut" / "predictions.csv").read_text() == (
        tmp_path / "whole" / "predictions.csv"
    ).read_text()

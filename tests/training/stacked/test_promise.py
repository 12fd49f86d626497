"""A run's bits do not depend on what it is stacked with, on its place, on what ends beside it, on jobs or threads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from affuse.fusion.attention import AttentionFusion
from affuse.layers import Dropout, Streams
from affuse.sequence import FeatureSequence
from affuse.training.fold import train_fold
from affuse.training.runfolder import RunResult
from affuse.training.stacked.modules import stacked
from affuse.training.stacked.plan import stack_key
from affuse.training.threads import torch_threads
from frozen_runs import BOTH_TASKS, FILES, Place, assert_close, bytes_of, cell, compared, prepared, stack

# (settings, fold): other losses, seeds, folds, rates, dropouts and lambdas; some end early, each for its own reason
NEIGHBOURS = [
    (["loss=cross_entropy+center", "training.patience=1", "lr=0.3"], 1),
    (["loss=contrastive_center", "lr=3e-3"], 2),
    (["head.dropout=0.1", "optimizer.clip_norm=0.3"], 0),
    (["loss=0*cross_entropy+center", "epochs=2"], 3),
    (["lr=0.2", "training.criterion=last_batch", "training.schedule=null"], 4),
    (["loss=0.3*cross_entropy+2*center", "modalities.audio.dropout=0.5", "optimizer.weight_decay=0.1"], 5),
]
RUNS = {
    "concat": ([], []),
    "gated": (["fusion.name=gated", "fusion.options={width: 16}"], ["loss=cross_entropy+center"]),
    "late": (["fusion.name=late", "fusion.options={width: 16}"], ["optimizer.clip_norm=0.2"]),
    "odd widths": (["fusion.options.width=13", "head.hidden=7", "training.batch_size=5"], ["loss=center"]),
    "one at a time": (["training.batch_size=1", "epochs=3"], ["loss=0.5*cross_entropy+center"]),
    "mixed precision": (["training.precision=bf16-mixed"], []),
    "short features": (["training.feature_precision=bfloat16"], ["modalities.text.dropout=0.3"]),
}


@pytest.mark.parametrize("name", RUNS)
def test_stacks_of_one_two_and_seven_in_any_order(place: Place, tmp_path: Path, name: str) -> None:
    base, own = RUNS[name]
    experiment = prepared(place, "epochs=5", *base)
    train_fold(experiment, experiment.recipe.changed(own), 0, tmp_path / "alone")
    alone = bytes_of(tmp_path / "alone")
    assert set(alone) == set(FILES)
    others = [
        cell(experiment, tmp_path / f"n{i}", *changes, seed=i, fold=fold)
        for i, (changes, fold) in enumerate(NEIGHBOURS)
    ]
    for first in (True, False):
        pair = [
            cell(experiment, tmp_path / f"pair{first}", *own),
            cell(experiment, tmp_path / f"beside{first}", "seed=9", fold=1),
        ]
        stack(pair if first else pair[::-1])
        assert bytes_of(tmp_path / f"pair{first}") == alone
    found = stack([*others[3:], cell(experiment, tmp_path / "seven", *own), *others[:3]])
    assert len(found) == 7
    assert len({one.epochs for one in found.values() if isinstance(one, RunResult)}) > 1
    assert bytes_of(tmp_path / "seven") == alone
    assert bytes_of(tmp_path / "besideTrue") == bytes_of(tmp_path / "besideFalse")


def test_two_tasks_and_every_weighting_side_by_side(place: Place, tmp_path: Path) -> None:
    """Each has weights, draws and a history of its own, and one of them is measured by batches."""
    experiment = prepared(place, BOTH_TASKS, "epochs=4", "training.batch_size=3", "weighting.lr=0.05")
    changes = {
        name: [f"weighting.name={name}"]
        for name in ("static", "softmax", "uncertainty", "geometric", "imtl_l", "dwa", "rlw")
    }
    changes["static, weighted"] = ["weighting.options.weights={emotion: 0.7, gender: 0.3}"]
    changes["by batches"] = [
        "weighting.name=rlw",
        "weighting.options.seed=4",
        "training.criterion=last_batch",
    ]
    for fold, (name, own) in enumerate(changes.items()):
        stack([cell(experiment, tmp_path / "alone" / name, *own, fold=fold % 6)])
    found = stack(
        [
            cell(experiment, tmp_path / "all" / name, *own, fold=fold % 6)
            for fold, (name, own) in reversed(list(enumerate(changes.items())))
        ]
    )
    assert all(isinstance(one, RunResult) for one in found.values())
    for name in changes:
        assert bytes_of(tmp_path / "alone" / name) == bytes_of(tmp_path / "all" / name), name


def test_threads_of_the_caller_do_not_matter(place: Place, tmp_path: Path) -> None:
    experiment = prepared(
        place, "epochs=2", "fusion.name=gated", "fusion.options={width: 16}", "loss=cross_entropy+center"
    )
    for threads in (1, 2):
        with torch_threads(threads):
            train_fold(experiment, experiment.recipe, 0, tmp_path / str(threads))
            assert torch.get_num_threads() == threads
    assert bytes_of(tmp_path / "1") == bytes_of(tmp_path / "2")


def test_sequences_trained_by_several_threads_differ_in_rounding_alone(place: Place, tmp_path: Path) -> None:
    """A run alone of a sequence fusion uses the caller's threads, a comparison one for each stack.

    Threads share the rows over which LayerNorm and the products' backward passes add up, so gradients differ in their
    last bits: by less than 1e-5 of the largest value at 3M-SER's own widths.
    """
    gradients = []
    for threads in (1, 2):
        torch.manual_seed(0)
        fusion = stacked([AttentionFusion({"text": 768, "audio": 128})]).train()
        streams = Streams([3])
        for module in fusion.modules():
            if isinstance(module, Dropout):
                module.streams = streams
        steps = {
            name: FeatureSequence(torch.randn(1, 32, t, width), torch.ones(1, 32, t, dtype=torch.bool))
            for name, t, width in (("text", 17, 768), ("audio", 4, 128))
        }
        with torch_threads(threads):
            fusion.opinions(steps).embedding().square().sum().backward()
        gradients.append({name: parameter.grad for name, parameter in fusion.named_parameters()})
    for name, one in gradients[0].items():
        largest = float((one - gradients[1][name]).abs().max() / one.abs().max())
        assert largest < 1e-5, name
    experiment = prepared(place, "epochs=2", "fusion.options.width=64", recipe="3m-ser")
    for threads, folder in ((1, "stacked"), (2, "lightning")):
        with torch_threads(threads):
            train_fold(experiment, experiment.recipe, 0, tmp_path / folder)
    assert_close(tmp_path)


def test_comparisons_with_one_job_and_with_two(place: Place, tmp_path: Path) -> None:
    """Other numbers of jobs cut other stacks, in threads beside each other."""
    for jobs in (1, 2):
        over = ["loss=cross_entropy,cross_entropy+center,contrastive_center", "seed=0,1"]
        found = compared(place, tmp_path / str(jobs), over, jobs=jobs)
        assert not found.failed
        assert len(found.results) == 12
    assert torch.get_num_threads() == 1
    folders = [one.parent for one in sorted((tmp_path / "1").rglob("predictions.csv"))]
    assert len(folders) == 12
    for folder in folders:
        twin = tmp_path / "2" / folder.relative_to(tmp_path / "1")
        assert set(bytes_of(folder)) == set(FILES)
        assert bytes_of(folder) == bytes_of(twin), folder


@pytest.mark.parametrize("recipe", ["server", "3m-ser"])
def test_a_run_alone_has_the_bits_of_a_comparisons(place: Place, tmp_path: Path, recipe: str) -> None:
    """With one thread of the caller's; a fusion that pools needs no such care."""
    found = compared(place, tmp_path / "out", ["seed=0,1"], "epochs=2", recipe=recipe, jobs=2)
    one = found.cells[-1]
    with torch_threads(2 if recipe == "server" else 1):
        train_fold(found.experiments[one.experiment], one.variant.recipe, one.fold, tmp_path / "alone")
    assert bytes_of(tmp_path / "alone") == bytes_of(one.folder)


def test_what_may_differ_within_a_stack_and_what_may_not(place: Place) -> None:
    def key(*changes: str) -> str:
        experiment = prepared(place, *changes)
        return stack_key(experiment.recipe, experiment)

    base = key()
    for may in [
        "seed=3", "lr=1e-5", "loss=center", "loss=0.1*cross_entropy+contrastive_center", "head.dropout=0.1",
        "weighting.name=softmax", "epochs=99", "training.patience=3", "training.select=test",
        "training.criterion=acc", "training.schedule=null", "optimizer.clip_norm=1", "optimizer.weight_decay=0.1",
        "modalities.text.dropout=0.2", "protocol.validation.fraction=0.4", "protocol.kind=group_k_fold",
        "tasks.emotion.classes=sadness,neutral,anger",
    ]:  # fmt: skip
        assert key(may) == base, may
    for may_not in [
        "fusion.options.width=8", "fusion.options.pool={text: mean}", "fusion.name=gated", "head.hidden=8",
        "head.hidden=null", "head.activation=relu", "training.batch_size=8", "training.precision=bf16-mixed",
        "training.feature_precision=bfloat16", "modalities.audio.standardise=false",
        "modalities.audio.options.bands=13", "modalities.text=null", BOTH_TASKS,
        "tasks.emotion.classes=anger,neutral", "tasks.emotion.merge={sadness: neutral}",
    ]:  # fmt: skip
        assert key(may_not) != base, may_not

"""Runs of a stack have their own rows: other splits, labels and numbers of steps, each as Lightning does it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affuse.training.experiment import Experiment
from affuse.training.fold import train_fold
from affuse.training.run import Wanted, begin_run
from affuse.training.runfolder import RunResult
from affuse.training.stacked.member import Member
from affuse.training.stacked.plan import stack_key
from affuse.training.stacked.runs import features_of
from frozen_runs import BOTH_TASKS, Place, assert_close, cell, prepared, stack

RESHUFFLED = (
    "protocol={kind: ratio, ratios: [0.6, 0.2, 0.2], reshuffled: true, allow_speaker_overlap: true, seed: 3}"
)
EXPERIMENTS = {
    "as packaged": [],
    "no validation part": ["protocol.validation=null"],
    "larger validation part": ["protocol.validation.fraction=0.4"],
    "few folds": ["protocol={kind: group_k_fold, folds: 2, validation: {fraction: 0.2}}"],
    "parts that overlap": [RESHUFFLED],
    "classes in another order": ["tasks.emotion.classes=neutral,sadness,anger"],
    "measured on test": ["training.select=test", "training.criterion=last_batch"],
}


def test_experiments_that_share_features_and_nothing_else(place: Place, tmp_path: Path) -> None:
    """Fold 0 of each: other training parts, so other standardisers, steps, labels and watched parts."""
    experiments = {
        name: prepared(place, BOTH_TASKS, "training.batch_size=4", *changes)
        for name, changes in EXPERIMENTS.items()
    }
    first = experiments["as packaged"]
    assert len({stack_key(one.recipe, one) for one in experiments.values()}) == 1
    assert len({len(one.roles(0)["train"]) for one in experiments.values()}) > 3  # other numbers of steps
    for one in experiments.values():
        one.in_memory = first.in_memory  # as a comparison's have it
    found = stack([cell(one, tmp_path / name / "stacked") for name, one in experiments.items()])
    assert all(isinstance(one, RunResult) for one in found.values()), found
    assert len(first.in_memory) == 1
    for name, one in experiments.items():
        lightning = one.recipe.changed(["training.engine=lightning"])
        train_fold(one, lightning, 0, tmp_path / name / "lightning")
        table = assert_close(tmp_path / name)
        watched = name not in ("no validation part",)
        assert any("bacc" in column for column in table.columns) == watched, name


def member(experiment: Experiment, folder: Path) -> Member:
    features = features_of(experiment, experiment.recipe)
    run = begin_run(experiment, experiment.recipe, 0, folder, Wanted(model=False), features.sources())
    return Member(run, features)


def test_labels_of_every_place_are_the_tables(place: Place, tmp_path: Path) -> None:
    """By id from the corpus's table, blanks included, also where an utterance is in two parts."""
    experiment = prepared(place, BOTH_TASKS, RESHUFFLED)
    roles = experiment.roles(0)
    assert set(roles["train"]) & set(roles["validation"])
    own = member(experiment, tmp_path / "run")
    table = place.corpus.table.set_index("id")
    for part, role in ((own.train, "train"), (own.watching, "validation")):
        assert part.ids == roles[role]
        assert [own.features.ids[row] for row in part.rows] == roles[role]
        for task, codes in part.labels.items():
            space = experiment.labelled.spaces[task]
            told = [None if code < 0 else space[code] for code in codes.tolist()]
            wanted = [None if pd.isna(label) else label for label in table.loc[roles[role], task]]
            assert told == wanted
    assert (own.train.labels["gender"] < 0).any()


def test_losses_of_an_epoch_count_every_labelled_utterance_once(place: Place, tmp_path: Path) -> None:
    """With a rate that moves nothing the epoch's means are those of the untrained network, over the part's table."""
    import torch

    experiment = prepared(
        place, BOTH_TASKS, "lr=1e-30", "head.dropout=0", "training.batch_size=7", "epochs=1",
        "training.select=last",
    )  # fmt: skip
    stack([cell(experiment, tmp_path / "run")])
    row = pd.read_csv(tmp_path / "run" / "metrics.csv").iloc[0]
    own = member(experiment, tmp_path / "other")
    model, run = own.run.model.eval(), own.run
    for role, part in (("train", run.parts["train"]), ("validation", run.parts["validation"])):
        batch = part.collate([part[i] for i in range(len(part))])
        with torch.no_grad():
            output = model(batch.clips)
        joint = 0.0
        for task in ("emotion", "gender"):
            known = batch.labels[task] >= 0
            losses = torch.nn.functional.cross_entropy(
                output.logits[task][known], batch.labels[task][known], reduction="none"
            )
            assert row[f"{role}_loss_{task}"] == pytest.approx(float(losses.mean()), rel=1e-5)
            joint += 0.5 * float(losses.mean())
            if role == "validation":
                right = output.logits[task][known].argmax(1) == batch.labels[task][known]
                recalls = [
                    float(right[batch.labels[task][known] == c].float().mean())
                    for c in batch.labels[task][known].unique()
                ]
                assert row[f"validation_acc_{task}"] == pytest.approx(float(right.float().mean()))
                assert row[f"validation_bacc_{task}"] == pytest.approx(np.mean(recalls))


def test_a_stack_learns_what_each_run_is_told(place: Place, tmp_path: Path) -> None:
    """Three runs fit their own training part: the labels, their mirror image, and another loss."""
    mirrored = prepared(place, "tasks.emotion.classes=sadness,neutral,anger")
    experiment = prepared(place)
    easy = ["epochs=60", "head.dropout=0", "training.schedule=null", "training.select=last", "lr=2e-2"]
    cells = [
        cell(experiment, tmp_path / "labels", *easy),
        cell(mirrored, tmp_path / "mirrored", *easy),
        cell(experiment, tmp_path / "centers", *easy, "loss=cross_entropy+0.01*center", fold=3),
    ]
    stack(cells, model=False)
    for one in cells:
        losses = pd.read_csv(one.folder / "metrics.csv")["train_loss_emotion"]
        assert losses.iloc[-1] < 0.2 * losses.iloc[0]

"""Tasks that learn votes in stacks: what Lightning trains, and bits that do not depend on neighbours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affuse.corpora.corpus import Corpus
from affuse.training.fold import train_fold
from affuse.training.runfolder import RunResult
from frozen_runs import FILES, Place, assert_close, both_ways, bytes_of, cell, compared, prepared, stack

VOTED = "tasks.emotion={target: distribution, without_agreement: true}"
TRAINED = {
    "beside classes": [
        VOTED,
        "tasks.gender.loss=cross_entropy",
        "weighting.name=uncertainty",
        "weighting.lr=0.05",
    ],
    "divergence, labels alone": ["tasks.emotion={target: distribution, loss: kl}", "training.batch_size=5"],
    "by the loss": [VOTED, "training.criterion=loss", "training.patience=2", "epochs=6"],
}


@pytest.fixture(scope="module")
def voted(place: Place) -> Place:
    """Three votes each but for some, some utterances without a label, some with a label and no vote."""
    table, random = place.corpus.table.copy(), np.random.default_rng(0)
    names = ["anger", "sadness", "neutral"]
    rows = [
        {"id": id, "annotator": f"r{rater}", "task": "emotion", "label": random.choice([label, *names])}
        for i, (id, label) in enumerate(zip(table["id"], table["emotion"], strict=True))
        if isinstance(label, str) and i % 8 != 3
        for rater in range(3)
    ]
    table.loc[1::6, "emotion"] = None
    annotations = pd.DataFrame(rows)
    return place._replace(
        corpus=Corpus(table, place.corpus.info, place.corpus.folder, annotations=annotations)
    )


@pytest.mark.parametrize("name", TRAINED)
def test_a_stack_of_one_trains_what_lightning_trains(voted: Place, tmp_path: Path, name: str) -> None:
    stacked, lightning = both_ways(prepared(voted, *TRAINED[name]), tmp_path)
    assert (stacked.best_epoch, stacked.epochs) == (lightning.best_epoch, lightning.epochs)
    assert stacked.metrics["emotion"]["soft"] == pytest.approx(lightning.metrics["emotion"]["soft"], abs=1e-4)
    table = assert_close(tmp_path)
    assert list(table) == list(pd.read_csv(tmp_path / "lightning" / "metrics.csv"))
    assert {"validation_loss_emotion", "validation_bacc_emotion"} <= set(table)


def test_a_runs_bits_do_not_depend_on_what_it_is_stacked_with(voted: Place, tmp_path: Path) -> None:
    experiment = prepared(voted, VOTED, "tasks.gender.loss=cross_entropy")
    train_fold(experiment, experiment.recipe, 0, tmp_path / "alone")
    alone = bytes_of(tmp_path / "alone")
    assert set(alone) == set(FILES)
    beside = [
        ["weighting.name=softmax", "lr=0.1"],
        ["tasks.emotion.loss=kl"],
        ["epochs=2", "weighting.name=rlw"],
    ]
    cells = [cell(experiment, tmp_path / str(i), *one, fold=i + 1, seed=i) for i, one in enumerate(beside)]
    found = stack([*cells[:2], cell(experiment, tmp_path / "beside"), cells[2]])
    assert all(isinstance(one, RunResult) for one in found.values()), found
    assert bytes_of(tmp_path / "beside") == alone


def test_labels_and_votes_are_compared(voted: Place, tmp_path: Path) -> None:
    """They share features and split, and not what is learnt."""
    found = compared(
        voted, tmp_path, ["tasks.emotion.target=labels,distribution"], "tasks.emotion.loss=null", folds=[0]
    )
    assert not found.failed
    assert ["soft" in one.metrics["emotion"] for one in found.results.values()] == [False, True]

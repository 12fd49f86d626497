"""What the first paper's and the second paper's code do differently in training: each by its switch, off by default."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.svm import SVC

from affuse.corpora.corpus import Corpus
from affuse.errors import AffuseError
from affuse.files import digest
from affuse.models.loading import load_model
from affuse.recipe import Recipe
from affuse.sequence import pad
from affuse.training.cache import FeatureCache
from affuse.training.experiment import set_up
from affuse.training.fold import train_fold
from affuse.training.lightning.module import TrainingModule
from affuse.training.runfolder import RunFolder
from command import affuse
from quiet import Quiet
from small_corpus import make_corpus


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("place")
    return make_corpus(folder, speakers=6, each=3), FeatureCache(folder / "cache")


SMALL = [
    "modalities.text=null",
    "modalities.audio.encoder=logmel",
    "modalities.audio.options.bands=16",
    "modalities.audio.standardise=true",
    "protocol.kind=group_k_fold",
    "protocol.folds=3",
    "protocol.validation.fraction=0.3",
    "epochs=6",
    "lr=1e-2",
]


def trained(place: tuple[Corpus, FeatureCache], out: Path, *changes: str, keep: bool = True):
    corpus, cache = place
    experiment = set_up(corpus, Recipe.load("server", [*SMALL, *changes]), cache, Quiet())
    result = train_fold(experiment, experiment.recipe, 0, out, keep_model=keep)
    return experiment, result, pd.read_csv(out / "metrics.csv")


@pytest.mark.parametrize("criterion", ["bacc", "acc", "loss"])
def test_the_epoch_may_be_chosen_on_the_test_part_and_the_run_says_so(
    place: tuple[Corpus, FeatureCache], tmp_path: Path, criterion: str
) -> None:
    experiment, result, history = trained(
        place, tmp_path, "training.select=test", f"training.criterion={criterion}"
    )
    assert not [name for name in history.columns if name.startswith("validation_")]
    loss = history["test_loss_emotion"]
    ranked = pd.DataFrame({"epoch": history["epoch"], "first": -loss, "then": -loss})
    if criterion != "loss":
        ranked["first"] = history[f"test_{criterion}_emotion"]
    best = ranked.sort_values(["first", "then"], ascending=False).iloc[0]
    assert result.best_epoch == best["epoch"]
    # the peek: no other epoch would have shown a better number
    test = RunFolder(tmp_path).predictions("test")
    acc = (test["emotion"] == test["emotion_predicted"]).mean()
    if criterion == "acc":
        assert acc == pytest.approx(history["test_acc_emotion"].max())
    said = json.loads((tmp_path / "results.json").read_text())
    assert said["on_test"] == "epoch chosen on the test part" == experiment.recipe.on_test


def test_left_alone_the_test_part_is_not_mentioned(
    place: tuple[Corpus, FeatureCache], tmp_path: Path
) -> None:
    _, result, history = trained(place, tmp_path)
    assert json.loads((tmp_path / "results.json").read_text())["on_test"] == ""
    assert not [name for name in history.columns if name.startswith("test_")]
    assert (
        result.best_epoch
        == history.sort_values(
            ["validation_bacc_emotion", "validation_loss_emotion"], ascending=[False, True]
        )["epoch"].iloc[0]
    )


def test_the_last_epoch_counts_where_it_is_asked_for(
    place: tuple[Corpus, FeatureCache], tmp_path: Path
) -> None:
    _, result, history = trained(place, tmp_path, "training.select=last", "training.patience=1")
    assert result.best_epoch == result.epochs == len(history) == 6
    assert "validation_bacc_emotion" in history.columns


def test_one_batch_may_choose_the_epoch(
    place: tuple[Corpus, FeatureCache], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bug 4. Every batch's loss, kept on the way, and the draw by hand."""
    seen = []
    step = TrainingModule.validation_step

    def keep(self: Any, batch: Any, index: Any):
        step(self, batch, index)
        losses = self.model.task_losses(self.model(batch.clips), batch.labels)
        seen.append((self.current_epoch, float(losses["emotion"])))

    monkeypatch.setattr(TrainingModule, "validation_step", keep)
    _, result, history = trained(
        place,
        tmp_path,
        "training.criterion=last_batch",
        "training.batch_size=4",
        "weighting.name=static",
        "training.engine=lightning",
    )
    drawn = []
    for epoch in range(6):
        losses = [loss for when, loss in seen if when == epoch]
        assert len(losses) > 1
        drawn.append(losses[int(digest("0", "last batch", str(epoch))[:15], 16) % len(losses)])
    np.testing.assert_allclose(history["validation_last_batch"], drawn, rtol=1e-6)
    assert result.best_epoch == 1 + int(np.argmin(drawn))


def test_an_rbf_svm_classifies_the_embeddings(place: tuple[Corpus, FeatureCache], tmp_path: Path) -> None:
    """Refitted here from the network that the same run without an SVM keeps."""
    changes = ["loss=center", "training.select=last"]
    experiment, _, _ = trained(place, tmp_path / "nearest", *changes)
    trained(place, tmp_path / "svm", *changes, "tasks.emotion.classifier=svm", keep=False)
    model, source = load_model(tmp_path / "nearest"), experiment.clips.open()["audio"]
    roles = experiment.roles(0)

    def embedding(ids: Any):
        with torch.no_grad():
            return np.stack(
                [model({"audio": pad([source.load(id)])}).embedding[0].double().numpy() for id in ids]
            )

    labels = experiment.labelled.table.set_index("id")["emotion"]
    machine = SVC().fit(embedding(roles["train"]), labels[roles["train"]].to_numpy(str))
    called = RunFolder(tmp_path / "svm").predictions("test").set_index("id")
    expected = machine.predict(embedding(roles["test"]))
    assert called.loc[roles["test"], "emotion_predicted"].tolist() == expected.tolist()
    assert set(np.unique(called[[c for c in called if "_p_" in c]])) == {0.0, 1.0}
    nearest = RunFolder(tmp_path / "nearest").predictions("test").set_index("id")
    assert not nearest["emotion_p_anger"].isin([0, 1]).all()


def test_a_model_with_an_svm_is_not_kept(place: tuple[Corpus, FeatureCache], tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match="not part of a model folder"):
        trained(place, tmp_path, "tasks.emotion.classifier=svm")
    assert not list(tmp_path.iterdir())


def test_fixed_centers_stay_where_they_were_drawn(place: tuple[Corpus, FeatureCache], tmp_path: Path) -> None:
    fixed = "tasks.emotion.loss=[{name: cross_entropy}, {name: center, options: {trained: false}}]"
    _, _, history = trained(place, tmp_path / "fixed", fixed)
    assert (history["center_displacement_emotion.terms.1"] == 0).all()
    _, _, history = trained(place, tmp_path / "trained", "loss=cross_entropy+center")
    assert (history["center_displacement_emotion.terms.1"] > 0).all()


@pytest.mark.parametrize("scheduled", [True, False])
def test_the_weightings_rate_may_stay_out_of_the_schedule(
    place: tuple[Corpus, FeatureCache], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheduled: bool
) -> None:
    rates = []
    close = TrainingModule.close_epoch

    def keep(self: Any):
        groups = {group["name"]: group["lr"] for group in self.optimizers().param_groups}
        rates.append((groups["network"], groups["weighting"]))
        close(self)

    monkeypatch.setattr(TrainingModule, "close_epoch", keep)
    trained(
        place, tmp_path, "tasks.gender.loss=cross_entropy", "weighting=softmax", f"weighting.scheduled={scheduled}",
        "training.schedule.every=2", "training.schedule.factor=0.1", "weighting.lr=0.5", "training.engine=lightning",
    )  # fmt: skip
    network = [1e-2 * 0.1 ** (epoch // 2) for epoch in range(6)]
    weighting = [0.5 * 0.1 ** (epoch // 2) if scheduled else 0.5 for epoch in range(6)]
    np.testing.assert_allclose(np.array(rates), np.stack([network, weighting], axis=1), rtol=1e-6)


def test_overlapping_parts_train_on_test_utterances_and_every_file_says_so(
    place: tuple[Corpus, FeatureCache], tmp_path: Path
) -> None:
    protocol = "{kind: ratio, ratios: [0.6, 0.2, 0.2], reshuffled: true, allow_speaker_overlap: true}"
    experiment, _, _ = trained(place, tmp_path, f"protocol={protocol}")
    roles = experiment.roles(0)
    assert set(roles["test"]) & set(roles["train"])
    said = json.loads((tmp_path / "results.json").read_text())
    assert said["on_test"] == "test utterances in training"
    assert "of the test utterances train or validate too" in said["stamp"]
    assert set(RunFolder(tmp_path).predictions("test")["id"]) == set(roles["test"])


def test_short_clips_are_left_out_of_the_whole_experiment_and_told(
    place: tuple[Corpus, FeatureCache], tmp_path: Path
) -> None:
    corpus, cache = place
    progress = Quiet()
    recipe = Recipe.load("server", [*SMALL, "corpus.min_seconds=0.6"])
    experiment = set_up(corpus, recipe, cache, progress)
    left = len(corpus) - len(experiment.labelled.table)
    assert 0 < left < len(corpus)
    told = f"{left} of {len(corpus)} utterances have less than 0.6 s of sound: left out (corpus.min_seconds)."
    assert told in progress.said
    train_fold(experiment, recipe, 0, tmp_path)
    assert json.loads((tmp_path / "environment.json").read_text())["view"] == [told]


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ("test", "counts: the best on the test part"),
        ("last", "counts: the last"),
        ("validation", "counts: the best on validation"),
    ],
)
def test_train_says_how_the_epoch_was_chosen(
    place: tuple[Corpus, FeatureCache],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    select: str,
    said: str,
) -> None:
    corpus, cache = place
    changes = [word for text in [*SMALL, f"training.select={select}"] for word in ("--set", text)]
    words = ["train", "server", corpus.folder, "--out", tmp_path / "run", "--cache", cache.folder, *changes]
    result = affuse(capsys, monkeypatch, *words)
    assert result.code == 0
    told = result.err.replace("\n", " ")
    assert said in told
    assert ("These numbers are better than they should be: epoch chosen on the test part." in told) == (
        select == "test"
    )

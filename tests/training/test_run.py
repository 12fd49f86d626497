"""Training one fold for real on a small corpus: repeatable, resumable, honest about what is trained."""

import json
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pandas as pd
import pytest
import torch

import affuse
from affuse.corpora.corpus import Corpus
from affuse.errors import AffuseError
from affuse.files import digest
from affuse.files.yaml_text import write_yaml
from affuse.models.foreign import foreign_code
from affuse.models.loading import load_model
from affuse.recipe import Recipe
from affuse.training.cache import FeatureCache
from affuse.training.data import Clips
from affuse.training.embeddings import read_embeddings, write_embeddings
from affuse.training.experiment import set_up
from affuse.training.failures import NonFiniteLoss
from affuse.training.fold import train_fold
from affuse.training.lightning.callbacks import SaveResumeState
from affuse.training.runfolder import RunFolder
from quiet import Quiet
from small_corpus import make_corpus
from tiny_models import tiny_bert


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory):
    """A corpus of 72 utterances, a small BERT, a cache."""
    folder = tmp_path_factory.mktemp("place")
    return make_corpus(folder), str(tiny_bert(folder / "bert")), FeatureCache(folder / "cache")


SMALL = [
    "modalities.audio.encoder=logmel",
    "modalities.audio.options.seconds=0.2",
    "modalities.audio.options.bands=20",
    "modalities.audio.standardise=true",
    "fusion.options.heads=4",
    "fusion.options.width=16",
    "fusion.options.dropout=0.1",
    "head.hidden=16",
    "lr=3e-3",
    "epochs=6",
]


def prepared(
    place: tuple[Corpus, str, FeatureCache], *changes: str, recipe: str = "3m-ser", live: bool = False
):
    corpus, bert, cache = place
    chosen = Recipe.load(recipe, [*SMALL, f"modalities.text.options.model={bert}", *changes])
    return set_up(corpus, chosen, None if live else cache, Quiet())


def test_a_run_whose_recipe_was_only_described_anew_is_the_same_run(
    place: tuple[Corpus, str, FeatureCache], tmp_path: Path
) -> None:
    experiment = prepared(place, "epochs=2")
    first = train_fold(experiment, experiment.recipe, 0, tmp_path / "a")
    described = prepared(place, "epochs=2", "description='Better words for the same network.'")
    again = train_fold(described, described.recipe, 0, tmp_path / "a")
    assert again == first
    (tmp_path / "a" / "results.json").unlink()  # of an interrupted one too, and what is made of it is whole
    again = train_fold(described, described.recipe, 0, tmp_path / "a")
    assert again.metrics == first.metrics
    assert train_fold(described, described.recipe, 0, tmp_path / "a") == again
    assert train_fold(experiment, experiment.recipe, 0, tmp_path / "a") == again
    other = prepared(place, "epochs=3")
    with pytest.raises(AffuseError, match="holds a finished run of another recipe"):
        train_fold(other, other.recipe, 0, tmp_path / "a")


def test_a_run_finished_before_the_recipe_had_a_field_is_the_same_run(
    place: tuple[Corpus, str, FeatureCache], tmp_path: Path
) -> None:
    experiment = prepared(place, "epochs=2")
    recipe, folder = experiment.recipe, RunFolder(tmp_path / "run")
    first = train_fold(experiment, recipe, 0, folder.path)
    # as an older affuse left it: no field in recipe.yaml, and a key that was made of that text
    fields = recipe.model_dump()
    for name in ("feature_precision", "engine"):
        del fields["training"][name]
    for task in fields["tasks"].values():
        del task["kind"], task["range"], task["target"], task["without_agreement"]
    (folder.path / "recipe.yaml").write_text(write_yaml(fields))
    key = digest(write_yaml(fields), experiment.shared_key, "0", *foreign_code(recipe))
    for name in ("results.json", "environment.json"):
        recorded = json.loads((folder.path / name).read_text())
        (folder.path / name).write_text(json.dumps(recorded | {"key": key}))
    found = train_fold(experiment, recipe, 0, folder.path)
    assert found.metrics == first.metrics
    assert found.finished == first.finished
    assert folder.recipe() == recipe
    (folder.path / "results.json").unlink()  # and an unfinished one is not refused
    assert train_fold(experiment, recipe, 0, folder.path).metrics == first.metrics
    # another value is another experiment
    for change in ("training.engine=lightning", "training.feature_precision=bfloat16"):
        with pytest.raises(AffuseError, match="holds a finished run of another recipe"):
            train_fold(experiment, recipe.changed([change]), 0, folder.path)


def test_two_runs_with_one_seed_give_the_same_table_and_seeds_differ(
    place: tuple[Corpus, str, FeatureCache], tmp_path: Path
) -> None:
    experiment = prepared(place)
    for name in ("a", "b"):
        train_fold(experiment, experiment.recipe, 0, tmp_path / name)
    train_fold(experiment, experiment.recipe.changed(["seed=1"]), 0, tmp_path / "c")
    first, second, other = ((tmp_path / n / "predictions.csv").read_text() for n in "abc")
    assert first == second
    assert first != other


def test_the_run_folder_holds_what_the_design_says(
    place: tuple[Corpus, str, FeatureCache], tmp_path: Path
) -> None:
    experiment = prepared(place)
    result = train_fold(experiment, experiment.recipe, 1, tmp_path / "run")
    names = {str(p.relative_to(tmp_path / "run")) for p in (tmp_path / "run").rglob("*") if p.is_file()}
    assert names == {
        "recipe.yaml", "environment.json", "split.csv", "metrics.csv", "predictions.csv", "skipped.csv",
        "results.json", "embeddings.npz", "model/model.safetensors", "model/recipe.yaml", "model/labels.json",
        "model/index.json", "model/preprocessing.json", "model/prediction.json", "model/README.md",
    }  # fmt: skip
    assert Recipe.load(tmp_path / "run" / "recipe.yaml") == experiment.recipe
    predictions = pd.read_csv(tmp_path / "run" / "predictions.csv")
    probabilities = predictions[[f"emotion_p_{label}" for label in experiment.labelled.spaces["emotion"]]]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    test = predictions[predictions["role"] == "test"]
    assert set(test["id"]) == set(experiment.roles(1)["test"])
    assert result.metrics["emotion"]["acc"] == pytest.approx(
        (test["emotion"] == test["emotion_predicted"]).mean()
    )
    recorded = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert recorded["split_hash"] == experiment.split.hash


def test_the_embeddings_are_the_kept_models_of_the_test_part(
    place: tuple[Corpus, str, FeatureCache], tmp_path: Path
) -> None:
    experiment = prepared(place, "epochs=2")
    train_fold(experiment, experiment.recipe, 0, tmp_path / "run")
    ids, embedding = read_embeddings(tmp_path / "run" / "embeddings.npz")
    assert ids == experiment.roles(0)["test"]
    model = load_model(tmp_path / "run").eval()
    opened = experiment.open_clips(model)
    for id, row in zip(ids, embedding, strict=True):
        clip = Clips([id], opened, experiment.labelled.codes)
        with torch.inference_mode():
            alone = model(clip.collate([clip[0]]).clips).embedding[0].numpy()
        np.testing.assert_allclose(row, alone, rtol=1e-3, atol=1e-3)  # kept as float16


def test_embeddings_too_large_for_half_precision_and_pickles(tmp_path: Path) -> None:
    large = np.array([[1e6, 1.0]])
    write_embeddings(tmp_path / "e.npz", ["u"], large)
    assert read_embeddings(tmp_path / "e.npz")[1].tolist() == large.tolist()
    np.savez(tmp_path / "p.npz", id=np.array(["u"], dtype=object), embedding=large)
    with pytest.raises(AffuseError, match="allow_pickle=False"):
        read_embeddings(tmp_path / "p.npz")


def test_it_learns_what_the_clips_say(place: tuple[Corpus, str, FeatureCache], tmp_path: Path) -> None:
    experiment = prepared(place, "epochs=25")
    result = train_fold(experiment, experiment.recipe, 0, tmp_path / "run")
    assert result.metrics["emotion"]["bacc"] > 0.9


def test_cached_and_live_give_the_same_logits(
    place: tuple[Corpus, str, FeatureCache], tmp_path: Path
) -> None:
    cached, live = prepared(place), prepared(place, live=True)
    for name, experiment in (("cached", cached), ("live", live)):
        train_fold(experiment, experiment.recipe, 0, tmp_path / name)
    assert (tmp_path / "cached" / "predictions.csv").read_text() == (
        tmp_path / "live" / "predictions.csv"
    ).read_text()


@pytest.mark.parametrize("loss", ["center", "contrastive_center", "cross_entropy+center"])
def test_centers_really_move_and_the_best_weights_hold_them(
    place: tuple[Corpus, str, FeatureCache], tmp_path: Path, loss: str
) -> None:
    """In the first paper's code their displacement is 0."""
    experiment = prepared(place, f"loss={loss}")
    train_fold(experiment, experiment.recipe, 0, tmp_path / "run")
    metrics = pd.read_csv(tmp_path / "run" / "metrics.csv")
    (column,) = [name for name in metrics.columns if name.startswith("center_displacement")]
    assert metrics[column].iloc[0] > 0
    assert metrics[column].iloc[-1] > metrics[column].iloc[0]
    torch.manual_seed(experiment.recipe.seed)
    start = (
        affuse.models.network.Model(experiment.recipe, experiment.labelled.spaces)
        .losses["emotion"]
        .centered.centers
    )
    kept = load_model(tmp_path / "run").losses["emotion"].centered.centers
    assert (kept - start).norm() > 0


def test_without_cross_entropy_the_nearest_center_decides(
    place: tuple[Corpus, str, FeatureCache], tmp_path: Path
) -> None:
    experiment = prepared(place, "loss=contrastive_center", "epochs=25", "optimizer.centers_lr=0.03")
    result = train_fold(experiment, experiment.recipe, 0, tmp_path / "run")
    assert result.metrics["emotion"]["bacc"] > 0.8
    model = load_model(tmp_path / "run")
    embedding = torch.randn(5, model.fusion.width)
    centers = model.losses["emotion"].centered.centers
    nearest = [int(torch.stack([(x - c).norm() for c in centers]).argmin()) for x in embedding]
    assert model._logits("emotion", embedding).argmax(dim=1).tolist() == nearest
    assert "emotion" not in model.heads


def test_the_schedule_really_steps(place: tuple[Corpus, str, FeatureCache], tmp_path: Path) -> None:
    """In the first paper's code it never does."""
    experiment = prepared(place, "training.schedule.every=2", "training.schedule.factor=0.1")
    train_fold(experiment, experiment.recipe, 0, tmp_path / "run")
    rates = pd.read_csv(tmp_path / "run" / "metrics.csv")["lr"]
    np.testing.assert_allclose(rates, [3e-3, 3e-3, 3e-4, 3e-4, 3e-5, 3e-5], rtol=1e-6)


class Stop(Exception):
    pass


def test_an_interrupted_run_goes_on_and_ends_like_an_uninterrupted_one(
    place: tuple[Corpus, str, FeatureCache], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = ["loss=cross_entropy+center", "training.schedule.every=2", "tasks.gender.loss=cross_entropy",
               "weighting.name=softmax", "weighting.lr=0.05", "training.engine=lightning"]  # fmt: skip
    experiment = prepared(place, *changes)
    train_fold(experiment, experiment.recipe, 0, tmp_path / "whole")

    epochs = []
    once = SaveResumeState.on_train_epoch_end

    def save_always(self: Any, trainer: Any, module: Any):
        self.every = 0.0
        once(self, trainer, module)

    def stop_after_three(epoch: Any, row: Any):
        epochs.append(epoch)
        if len(epochs) == 3:
            raise Stop

    monkeypatch.setattr(SaveResumeState, "on_train_epoch_end", save_always)
    with pytest.raises(Stop):
        train_fold(experiment, experiment.recipe, 0, tmp_path / "cut", progress=stop_after_three)
    assert (tmp_path / "cut" / "state" / "last.ckpt").is_file()
    assert not (tmp_path / "cut" / "results.json").exists()
    train_fold(
        experiment, experiment.recipe, 0, tmp_path / "cut", progress=lambda epoch, row: epochs.append(epoch)
    )
    assert epochs == [1, 2, 3, 4, 5, 6]
    for name in ("metrics.csv", "predictions.csv"):
        assert (tmp_path / "cut" / name).read_text() == (tmp_path / "whole" / name).read_text()


@pytest.mark.parametrize(("engine", "state"), [("auto", "last.safetensors"), ("lightning", "last.ckpt")])
def test_a_damaged_resume_state_starts_anew(
    place: tuple[Corpus, str, FeatureCache], tmp_path: Path, engine: str, state: str
) -> None:
    experiment = prepared(place, f"training.engine={engine}")
    train_fold(experiment, experiment.recipe, 0, tmp_path / "run", keep_model=False)
    (tmp_path / "run" / "results.json").unlink()
    (tmp_path / "run" / "state").mkdir(exist_ok=True)
    (tmp_path / "run" / "state" / state).write_bytes(b"half a file")
    train_fold(experiment, experiment.recipe, 0, tmp_path / "run")
    train_fold(experiment, experiment.recipe, 0, tmp_path / "other")
    assert (tmp_path / "run" / "predictions.csv").read_text() == (
        tmp_path / "other" / "predictions.csv"
    ).read_text()


def test_a_finished_folder_is_returned_and_another_experiment_refused(
    place: tuple[Corpus, str, FeatureCache], tmp_path: Path
) -> None:
    experiment = prepared(place)
    first = train_fold(experiment, experiment.recipe, 0, tmp_path / "run")
    before = (tmp_path / "run" / "predictions.csv").stat().st_mtime_ns
    assert train_fold(experiment, experiment.recipe, 0, tmp_path / "run").metrics == first.metrics
    assert (tmp_path / "run" / "predictions.csv").stat().st_mtime_ns == before
    with pytest.raises(AffuseError, match="another recipe, corpus, split or seed"):
        train_fold(experiment, experiment.recipe.changed(["lr=1e-5"]), 0, tmp_path / "run")


def test_patience_stops_and_the_best_epoch_is_kept(
    place: tuple[Corpus, str, FeatureCache], tmp_path: Path
) -> None:
    experiment = prepared(place, "epochs=60", "training.patience=3", "training.schedule=null", "lr=0.05")
    result = train_fold(experiment, experiment.recipe, 0, tmp_path / "run")
    metrics = pd.read_csv(tmp_path / "run" / "metrics.csv")
    assert result.epochs < 60
    assert result.epochs - result.best_epoch == 3
    best = metrics.sort_values(
        ["validation_bacc_emotion", "validation_loss_emotion", "epoch"], ascending=[False, True, True]
    ).iloc[0]
    assert int(best["epoch"]) == result.best_epoch


@pytest.mark.parametrize("keep_model", [True, False])
def test_a_loss_that_is_not_finite_stops_with_the_ids(
    place: tuple[Corpus, str, FeatureCache], tmp_path: Path, keep_model: bool
) -> None:
    experiment = prepared(
        place,
        "loss=center",
        "optimizer.lr=1e30",
        "training.batch_size=99",
        "training.schedule=null",
        "epochs=30",
    )
    with pytest.raises(NonFiniteLoss, match=r"in the batch of s\d_.*Lower optimizer\.lr") as caught:
        train_fold(experiment, experiment.recipe, 0, tmp_path / "run", keep_model=keep_model)
    assert ("The weights of epoch 1 are kept" in str(caught.value)) == keep_model
    assert (tmp_path / "run" / "model").is_dir() == keep_model
    assert not (tmp_path / "run" / "results.json").exists()
    if keep_model:
        assert load_model(tmp_path / "run").defaults.seen is not None


def test_two_tasks_and_a_blank_label(place: tuple[Corpus, str, FeatureCache], tmp_path: Path) -> None:
    corpus, bert, cache = place
    table = corpus.table.copy()
    table.loc[::3, "gender"] = None
    table.loc[1::3, "emotion"] = None
    partly = Corpus(table, corpus.info, corpus.folder)
    recipe = Recipe.load(
        "3m-ser",
        [*SMALL, f"modalities.text.options.model={bert}", "tasks.gender.loss=cross_entropy", "epochs=3"],
    )
    experiment = set_up(partly, recipe, cache, Quiet())
    result = train_fold(experiment, experiment.recipe, 0, tmp_path / "run")
    roles = experiment.roles(0)
    rows = table.set_index("id").loc[roles["test"]]
    assert result.metrics["emotion"]["n"] == rows["emotion"].notna().sum()
    assert result.metrics["gender"]["n"] == rows["gender"].notna().sum()


def test_missing_modalities_train_and_predict(
    place: tuple[Corpus, str, FeatureCache], tmp_path: Path
) -> None:
    corpus, bert, cache = place
    table = corpus.table.copy()
    table.loc[::2, "text"] = None
    table.loc[1::4, "audio"] = None
    recipe = Recipe.load("3m-ser", [*SMALL, f"modalities.text.options.model={bert}", "training.batch_size=2"])
    experiment = set_up(Corpus(table, corpus.info, corpus.folder), recipe, cache, Quiet())
    train_fold(experiment, experiment.recipe, 0, tmp_path / "run")
    predictions = pd.read_csv(tmp_path / "run" / "predictions.csv")
    assert np.isfinite(predictions.filter(like="_p_")).all(axis=None)


def test_precomputed_features_are_resolved_and_standardised(
    place: tuple[Corpus, str, FeatureCache], tmp_path: Path
) -> None:
    experiment = prepared(
        place, "modalities.text=null", "modalities.audio=null", "modalities.face.encoder=precomputed",
        "modalities.face.options.name=face", "modalities.face.standardise=true", "epochs=20", "lr=1e-2",
        recipe="3m-ser",
    )  # fmt: skip
    assert experiment.recipe.modalities["face"].options["width"] == 3
    result = train_fold(experiment, experiment.recipe, 0, tmp_path / "run")
    assert result.metrics["emotion"]["bacc"] > 0.8
    model = load_model(tmp_path / "run")
    rows = experiment.corpus.table.set_index("id").loc[experiment.roles(0)["train"]]
    features = np.load(experiment.corpus.folder / "features" / "face.npy")
    train = features[[int(ref.split("#")[1]) for ref in rows["features_face"]]]
    np.testing.assert_allclose(model.standardisers["face"].mean, train.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(model.standardisers["face"].deviation, train.std(axis=0), rtol=1e-4)


def test_a_trained_text_encoder_changes(place: tuple[Corpus, str, FeatureCache], tmp_path: Path) -> None:
    experiment = prepared(place, "modalities.text.frozen=false", "epochs=2")
    train_fold(experiment, experiment.recipe, 0, tmp_path / "run")
    trained = load_model(tmp_path / "run")
    from transformers import AutoModel

    start = AutoModel.from_pretrained(place[1])
    moved = trained.encoders["text"].network.encoder.layer[0].output.dense.weight
    assert not torch.equal(moved, start.encoder.layer[0].output.dense.weight)


def test_a_model_folder_predicts_what_the_run_predicted(
    place: tuple[Corpus, str, FeatureCache], tmp_path: Path
) -> None:
    from affuse.training.data import Clips
    from affuse.training.prediction import predict_table

    experiment = prepared(place)
    train_fold(experiment, experiment.recipe, 0, tmp_path / "run")
    clips = Clips(experiment.roles(0)["test"], experiment.clips.open(), experiment.labelled.codes)
    table = predict_table(affuse.load(tmp_path / "run" / "model"), clips, "test", 0, 32)
    expected = (
        pd.read_csv(tmp_path / "run" / "predictions.csv").query("role == 'test'").reset_index(drop=True)
    )
    pd.testing.assert_frame_equal(table[["id", "emotion_predicted"]], expected[["id", "emotion_predicted"]])


def test_altered_missing_and_newer_model_folders_are_refused(
    place: tuple[Corpus, str, FeatureCache], tmp_path: Path
) -> None:
    experiment = prepared(place, "epochs=1")
    train_fold(experiment, experiment.recipe, 0, tmp_path / "run")
    folder = tmp_path / "run" / "model"
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(AffuseError, match="was altered"):
        affuse.load(folder)
    weights.unlink()
    with pytest.raises(AffuseError, match=r"model\.safetensors is missing"):
        affuse.load(folder)
    index = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(index | {"format": 99}))
    with pytest.raises(AffuseError, match=r"format 99 of a newer affuse .*reads format 1; update affuse"):
        affuse.load(folder)
    with pytest.raises(AffuseError, match="not a model folder"):
        affuse.load(tmp_path)


def test_lightning_is_recent_enough() -> None:
    """2.6.2 and 2.6.3 were malicious uploads."""
    assert tuple(int(part) for part in L.__version__.split(".")[:3]) >= (2, 6, 6)


def test_a_feature_that_never_varies_is_only_shifted(place: tuple[Corpus, str, FeatureCache]) -> None:
    from affuse.models.network import Model
    from affuse.training.standardise import fit_standardisers

    class Constant:
        ids = ("a", "b")

        def load(self, id: Any):
            return torch.tensor([[4000.3, 1.0], [4000.3, 3.0]])

    experiment = prepared(place)
    model = Model(experiment.recipe, experiment.labelled.spaces)
    fit_standardisers(model, {"audio": Constant()}, ["a", "b"])
    standardiser = model.standardisers["audio"]
    assert standardiser.deviation.tolist() == [1.0, 1.0]
    assert standardiser.mean.tolist() == pytest.approx([4000.3, 2.0])


def test_statistics_of_a_fold_serve_all_its_runs(place: tuple[Corpus, str, FeatureCache]) -> None:
    from affuse.models.network import Model
    from affuse.training.standardise import fit_standardisers

    experiment = prepared(place)
    opened = experiment.clips.open()
    fitted = []
    for known in (None, experiment.statistics(0), experiment.statistics(0)):
        model = Model(experiment.recipe, experiment.labelled.spaces)
        fit_standardisers(model, opened, experiment.roles(0)["train"], known)
        fitted.append(model.standardisers["audio"])
        opened = opened if known is None else {}  # the third time no clip is read
    steps = torch.cat(
        [experiment.clips.open()["audio"].load(id) for id in experiment.roles(0)["train"]]
    ).double()
    for one in fitted:
        assert torch.equal(one.mean, fitted[0].mean)
        assert torch.equal(one.deviation, fitted[0].deviation)
        torch.testing.assert_close(one.mean.double(), steps.mean(0), rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        fitted[1].mean.add_(1)  # a model's own
    assert torch.equal(experiment.statistics(0)["audio"][0], fitted[0].mean)
    assert experiment.statistics(1) == {}


def test_a_term_of_weight_0_trains_no_classifier() -> None:
    from affuse.models.building import build

    assert not build(Recipe.load("server", ["loss=0*cross_entropy+center"])).heads


def test_a_folder_of_something_else_is_no_run_folder(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("")
    with pytest.raises(
        AffuseError, match=r"notes holds something other than a run; choose a new folder for out"
    ):
        RunFolder(tmp_path / "notes").check_writable()
    with pytest.raises(AffuseError, match=r"cannot be written: .*file is a file; choose another out"):
        RunFolder(tmp_path / "file" / "run").check_writable()
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "environment.json").write_text("{}")
    for fine in ("begun", "new", "new/deep"):
        RunFolder(tmp_path / fine).check_writable()

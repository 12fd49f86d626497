"""A trained model on a corpus, looked at as its recipe looks at it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from affuse.corpora.corpus import Corpus
from affuse.corpora.generated import generate_release
from affuse.corpora.readers.iemocap import prepare
from affuse.corpora.schema import CorpusInfo
from affuse.errors import AffuseError
from affuse.inference.evaluate import evaluate_model, trained_on
from affuse.modelfolder import load_model
from affuse.recipe import Recipe
from affuse.training.cache import FeatureCache
from affuse.training.experiment import set_up
from affuse.training.run import train_fold
from small_corpus import make_corpus
from video_files import write_video


class Quiet:
    def __init__(self):
        self.said = []

    def start(self, task, total):
        return lambda: None

    def say(self, message):
        self.said.append(message)


TRAINING = [
    "modalities.text=null", "protocol.kind=group_k_fold", "protocol.folds=2", "protocol.validation.fraction=0.3",
    "epochs=3", "lr=1e-2",
]  # fmt: skip
VOICE = [
    "modalities.audio.encoder=logmel",
    "modalities.audio.options.bands=16",
    "modalities.audio.standardise=true",
]
FACE = ["modalities.audio=null", "modalities.face.encoder=hog", "modalities.face.options.size=48"]
LABELS = [
    "corpus.labels.classes=4+exc",
    "corpus.labels.scenario=improvised",
    "corpus.labels.ties=majority",
    "tasks.emotion.classes=[happiness,neutral]",
]


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    folder = tmp_path_factory.mktemp("released")
    release = generate_release(folder / "release", sessions=2, dialogs=4, turns=80, video=False, jobs=1)
    return prepare(release, folder / "corpus").save(folder / "corpus")


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    """Bright left halves, dark right ones, all of them of the speaker on the left."""
    folder = tmp_path_factory.mktemp("filmed")
    random = np.random.default_rng(0)
    rows = []
    for i in range(24):
        pictures = [random.integers(0, 255, (96, 128, 3), dtype=np.uint8) for _ in range(10)]
        write_video(folder / f"u{i}.mp4", pictures)
        label, gender = ("anger", "neutral")[i % 2], ("female", "male")[i // 2 % 2]
        rows.append({"id": f"u{i}", "video": f"u{i}.mp4", "side": "left", "speaker": f"s{i // 4}", "gender": gender,
                     "emotion": label})  # fmt: skip
    info = CorpusInfo(
        name="filmed", media_root=str(folder), label_spaces={"emotion": ["anger", "neutral"]}, generated=True
    )
    return Corpus(pd.DataFrame(rows), info).save(folder / "corpus")


def trained(corpus, out, *changes):
    cache = FeatureCache(out.parent / "cache")
    experiment = set_up(corpus, Recipe.load("server", [*TRAINING, *changes]), cache, Quiet())
    train_fold(experiment, experiment.recipe, 0, out)
    return load_model(out), cache


def of_run(out):
    return pd.read_csv(out / "predictions.csv", keep_default_na=False).query("role == 'test'").set_index("id")


def assert_same(found, out):
    expected = of_run(out).sort_index()
    found = found.set_index("id").sort_index()
    assert list(found.index) == list(expected.index)
    for column in found.columns:
        if "_p_" in column:
            np.testing.assert_allclose(found[column], expected[column], atol=1.1e-6)
        elif column.startswith("emotion"):
            assert list(found[column]) == list(expected[column])


def test_labels_by_another_rule_are_those_of_the_run(released, tmp_path):
    out = tmp_path / "run"
    model, cache = trained(released, out, *VOICE, *LABELS)
    progress = Quiet()
    found = evaluate_model(model, released, cache, progress, split=out / "split.csv")
    assert_same(found.predictions, out)
    own = released.table.set_index("id")["emotion"].fillna("")
    assert (of_run(out)["emotion"] != own[of_run(out).index]).any()
    assert [said for said in progress.said if said.startswith("As the model's recipe has it: ")]
    whole = evaluate_model(model, released, cache, Quiet())
    assert len(whole.predictions) < len(released)
    assert not trained_on(out / "model", released)
    assert trained_on(out / "model", whole.corpus)


def test_the_half_of_the_picture_is_that_of_the_run(filmed, tmp_path):
    out = tmp_path / "run"
    model, cache = trained(filmed, out, *FACE, "corpus.side=gender")
    progress = Quiet()
    found = evaluate_model(model, filmed, cache, progress, split=out / "split.csv")
    assert_same(found.predictions, out)
    assert "12 of 24 utterances show the other half" in progress.said[0]
    plain = model.recipe.model_copy(update={"corpus": type(model.recipe.corpus)()})
    model.recipe = plain
    with pytest.raises(AssertionError):
        assert_same(evaluate_model(model, filmed, cache, Quiet(), split=out / "split.csv").predictions, out)


def test_short_clips_are_left_out_as_in_the_run_and_in_another_corpus(tmp_path):
    corpus = make_corpus(tmp_path / "one")
    out = tmp_path / "run"
    model, cache = trained(corpus, out, *VOICE, "corpus.min_seconds=0.6")
    assert_same(evaluate_model(model, corpus, cache, Quiet(), split=out / "split.csv").predictions, out)
    used = set(pd.read_csv(out / "split.csv")["id"])
    assert len(used) < len(corpus)
    assert set(evaluate_model(model, corpus, cache, Quiet()).predictions["id"]) == used
    other, progress = make_corpus(tmp_path / "other", seed=1), Quiet()
    found = evaluate_model(model, other, cache, progress)
    assert len(found.predictions) < len(other)
    assert "less than 0.6 s of sound: left out" in progress.said[0]


def test_what_another_corpus_cannot_have_is_said_and_a_split_needs_all(released, filmed, tmp_path):
    out = tmp_path / "run"
    model, cache = trained(released, out, *VOICE, *LABELS)
    small, progress = make_corpus(tmp_path / "small"), Quiet()
    found = evaluate_model(model, small, cache, progress)
    assert len(found.predictions)
    assert progress.said[0].startswith(
        "The model's recipe has corpus.labels, which is not applied: small keeps no votes"
    )
    with pytest.raises(AffuseError, match=r"corpus\.labels, and small keeps no votes .*leave --split out\.$"):
        evaluate_model(model, small, cache, Quiet(), split=out / "split.csv")

"""A trained model on a corpus, looked at as its recipe looks at it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from affuse.corpora.corpus import Corpus
from affuse.corpora.generated import generate_release
from affuse.corpora.label_map import read_label_map
from affuse.corpora.readers.iemocap import prepare
from affuse.corpora.schema import CorpusInfo
from affuse.errors import AffuseError
from affuse.files.outputs import RECORD
from affuse.models.loading import load_model
from affuse.models.network import Model
from affuse.recipe import Recipe
from affuse.training.cache import FeatureCache
from affuse.training.evaluate import evaluate_model, rename_labels
from affuse.training.evaluate.evaluation import Evaluation
from affuse.training.evaluate.labels import by_map
from affuse.training.experiment import set_up
from affuse.training.fold import train_fold
from command import affuse
from quiet import Quiet
from small_corpus import make_corpus
from tiny_models import tiny_bert
from video_files import write_video

TRAINING = [
    "modalities.text=null", "protocol.kind=group_k_fold", "protocol.folds=2", "protocol.validation.fraction=0.3",
    "epochs=3", "lr=1e-2",
]  # fmt: skip
VOICE = [
    "modalities.audio.encoder=logmel",
    "modalities.audio.options.bands=16",
    "modalities.audio.standardise=true",
]
FACE = ["modalities.audio=null", "modalities.face.encoder=hog", "modalities.face.options.crop=window"]
LABELS = [
    "corpus.labels.classes=4+exc",
    "corpus.labels.scenario=improvised",
    "corpus.labels.ties=majority",
    "tasks.emotion.classes=[happiness,neutral]",
]


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("released")
    release = generate_release(folder / "release", sessions=2, dialogs=4, turns=80, video=False, jobs=1)
    return prepare(release, folder / "corpus").save(folder / "corpus")


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory):
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


def trained(corpus: Corpus, out: Path, *changes: str):
    cache = FeatureCache(out.parent / "cache")
    experiment = set_up(corpus, Recipe.load("server", [*TRAINING, *changes]), cache, Quiet())
    train_fold(experiment, experiment.recipe, 0, out)
    return load_model(out), cache


def of_run(out: Path):
    return pd.read_csv(out / "predictions.csv", keep_default_na=False).query("role == 'test'").set_index("id")


def assert_same(found: pd.DataFrame, out: Path):
    expected = of_run(out).sort_index()
    found = found.set_index("id").sort_index()
    assert list(found.index) == list(expected.index)
    for column in found.columns:
        if "_p_" in column:
            np.testing.assert_allclose(found[column], expected[column], atol=1.1e-6)
        elif column.startswith("emotion"):
            assert list(found[column]) == list(expected[column])


def test_labels_by_another_rule_are_those_of_the_run(released: Corpus, tmp_path: Path) -> None:
    out = tmp_path / "run"
    model, cache = trained(released, out, *VOICE, *LABELS)
    progress = Quiet()
    found = evaluate_model(model, released, cache, progress, split=out / "split.csv")
    assert_same(found.predictions, out)
    own = released.table.set_index("id")["emotion"].fillna("")
    assert (of_run(out)["emotion"] != own[of_run(out).index]).any()
    assert [said for said in progress.said if said.startswith("As the model's recipe has it: ")]
    whole = evaluate_model(model, released, cache, Quiet(), role="all")
    assert len(whole.predictions) < len(released)
    assert whole.trained
    assert not found.trained


def test_the_half_of_the_picture_is_that_of_the_run(filmed: Corpus, tmp_path: Path) -> None:
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


def test_short_clips_are_left_out_as_in_the_run_and_in_another_corpus(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "one")
    out = tmp_path / "run"
    model, cache = trained(corpus, out, *VOICE, "corpus.min_seconds=0.6")
    assert_same(evaluate_model(model, corpus, cache, Quiet(), split=out / "split.csv").predictions, out)
    used = set(pd.read_csv(out / "split.csv")["id"])
    assert len(used) < len(corpus)
    assert set(evaluate_model(model, corpus, cache, Quiet(), role="all").predictions["id"]) == used
    other, progress = make_corpus(tmp_path / "other", seed=1), Quiet()
    found = evaluate_model(model, other, cache, progress)
    assert len(found.predictions) < len(other)
    assert "less than 0.6 s of sound: left out" in progress.said[0]


def test_what_another_corpus_cannot_have_is_said_and_a_split_needs_all(
    released: Corpus, filmed: Corpus, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    model, cache = trained(released, out, *VOICE, *LABELS)
    small, progress = rename_labels(make_corpus(tmp_path / "small"), {"anger": "happiness"}), Quiet()
    found = evaluate_model(model, small, cache, progress)
    assert len(found.predictions)
    assert progress.said[0].startswith(
        "The model's recipe has corpus.labels, which is not applied: small keeps no votes"
    )
    with pytest.raises(AffuseError, match=r"corpus\.labels, and small keeps no votes .*leave split out\.$"):
        evaluate_model(model, small, cache, Quiet(), split=out / "split.csv")


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory):
    """A corpus, a model trained on it without its run folder (as pushed or copied), a cache, and the run folder."""
    folder = tmp_path_factory.mktemp("voices")
    corpus = make_corpus(folder / "one")
    out = folder / "run"
    _, cache = trained(corpus, out, *VOICE)
    alone = shutil.copytree(out / "model", folder / "alone")
    return corpus, load_model(alone), cache, out


def of_role(out: Path, role: str):
    split = pd.read_csv(out / "split.csv")
    return set(split.loc[split["role"] == role, "id"])


def ids_of(found: Evaluation):
    return set(found.predictions["id"])


def test_on_its_own_corpus_a_model_is_measured_on_its_test_part(
    voices: tuple[Corpus, Model, FeatureCache, Path],
) -> None:
    corpus, model, cache, out = voices
    progress = Quiet()
    found = evaluate_model(model, corpus, cache, progress)
    assert ids_of(found) == of_role(out, "test")
    assert_same(found.predictions, out)
    assert not found.trained
    train, validation = len(of_role(out, "train")), len(of_role(out, "validation"))
    rest = 72 - train - validation
    assert (
        f"{train + validation} of 72 utterances were seen in training ({train} to learn from, {validation} to "
        f"validate on): left out. {rest} are measured, {rest} of them its test part"
    ) in " ".join(progress.said)


def test_a_cache_below_the_tables_is_no_output(
    voices: tuple[Corpus, Model, FeatureCache, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    corpus, _, _, run = voices
    words = ["evaluate", run, corpus.folder, "--out", tmp_path, "--cache", tmp_path / "cache"]
    assert affuse(capsys, monkeypatch, *words).code == 0
    assert "cache/" not in (tmp_path / RECORD).read_text()
    for path in (tmp_path / "cache").rglob("*.safetensors"):
        path.write_text("damaged")  # by whomever: it is made anew, and no file of anybody's
    assert affuse(capsys, monkeypatch, *words).code == 0


def test_every_role_can_be_asked_for_and_all_is_called_flattering(
    voices: tuple[Corpus, Model, FeatureCache, Path],
) -> None:
    corpus, model, cache, out = voices
    for role in ("train", "validation", "test"):
        found = evaluate_model(model, corpus, cache, Quiet(), role=role)
        assert ids_of(found) == of_role(out, role)
        assert set(found.predictions["role"]) == {role}
    progress = Quiet()
    found = evaluate_model(model, corpus, cache, progress, role="all")
    assert found.trained
    assert len(found.predictions) == 72
    assert (
        "These numbers are better than they should be: of the 72 utterances some were seen in training"
        in " ".join(progress.said)
    )
    with pytest.raises(AffuseError, match="role takes train, validation, test or all, not 'tets'"):
        evaluate_model(model, corpus, cache, Quiet(), role="tets")


def copy_of(corpus: Corpus, folder: Path, change: Callable[..., Any]):
    """A corpus that somebody made of the same recordings, under a name of its own."""
    table = change(corpus.table.copy())
    info = corpus.info.model_copy(update={"name": "theirs", "media_root": str(corpus.media_root)})
    shutil.copytree(corpus.folder / "features", folder / "features")
    return Corpus(table, info).save(folder)


def test_a_renamed_copy_and_a_subset_are_recognised_by_their_sound(
    voices: tuple[Corpus, Model, FeatureCache, Path], tmp_path: Path
) -> None:
    corpus, model, cache, out = voices

    def renamed(table: Any):
        return table.assign(id=[f"x{i}" for i in range(len(table))], speaker="somebody").iloc[::-1]

    found = evaluate_model(model, copy_of(corpus, tmp_path / "renamed", renamed), cache, Quiet())
    names = dict(zip(corpus.table["id"], (f"x{i}" for i in range(72)), strict=True))
    assert ids_of(found) == {names[id] for id in of_role(out, "test")}
    learnt = corpus.table["id"].isin(of_role(out, "train"))
    subset = copy_of(corpus, tmp_path / "subset", lambda table: table[learnt])
    with pytest.raises(
        AffuseError, match=r"All \d+ utterances of theirs were seen in training .* give role='all'"
    ):
        evaluate_model(model, subset, cache, Quiet())


def test_a_copy_with_other_sound_is_recognised_by_ids_and_speakers_and_said(
    voices: tuple[Corpus, Model, FeatureCache, Path], tmp_path: Path
) -> None:
    _, model, cache, out = voices
    again, progress = make_corpus(tmp_path / "again", seed=3), Quiet()
    found = evaluate_model(model, again, cache, progress)
    assert ids_of(found) == of_role(out, "test")
    assert "have the id and speaker of one of the model's own corpus, but other sound" in " ".join(
        progress.said
    )
    table = again.table.assign(id=[f"x{i}" for i in range(72)])
    progress = Quiet()
    found = evaluate_model(model, Corpus(table, again.info, again.folder), cache, progress)
    assert len(found.predictions) == 72
    assert "utterances are of speakers with names of speakers that the model was trained on (s" in " ".join(
        progress.said
    )


def test_a_model_of_an_older_folder_knows_by_its_run(
    voices: tuple[Corpus, Model, FeatureCache, Path],
) -> None:
    corpus, _, cache, out = voices
    model = load_model(out)
    model.defaults = model.defaults.model_copy(update={"seen": None})
    assert ids_of(evaluate_model(model, corpus, cache, Quiet(), run=out)) == of_role(out, "test")
    assert ids_of(evaluate_model(model, corpus, cache, Quiet(), run=out / "model")) == of_role(out, "test")
    assert len(evaluate_model(model, corpus, cache, Quiet()).predictions) == 72


def test_digests_alone_are_kept(voices: tuple[Corpus, Model, FeatureCache, Path]) -> None:
    corpus, model, _, out = voices
    text = (out / "model" / "prediction.json").read_text()
    assert model.defaults.seen is not None
    assert not [word for word in (*corpus.table["id"], *corpus.table["speaker"].unique()) if word in text]


def relabelled(corpus: Corpus, names: dict[str, str]):
    """A corpus of other people, whose labels are called otherwise."""
    table = corpus.table.assign(
        id=[f"x{i}" for i in range(len(corpus))],
        speaker="new",
        emotion=corpus.table["emotion"].replace(names),
    )
    spaces = corpus.info.label_spaces | {"emotion": sorted(set(table["emotion"]))}
    return Corpus(
        table, corpus.info.model_copy(update={"label_spaces": spaces, "name": "theirs"}), corpus.folder
    )


def test_labels_in_another_spelling_are_the_models(
    voices: tuple[Corpus, Model, FeatureCache, Path], tmp_path: Path
) -> None:
    """And the numbers are those of labels that were written alike; a corpus is not changed by it."""
    _, model, cache, _ = voices
    fresh = make_corpus(tmp_path / "fresh", speakers=2, seed=5)
    theirs = relabelled(fresh, {"anger": "Wut", "sadness": "sad"})
    progress = Quiet()
    found = evaluate_model(model, theirs, cache, progress)
    expected = evaluate_model(model, relabelled(fresh, {}), cache, Quiet())
    pd.testing.assert_frame_equal(found.metrics, expected.metrics)
    assert "To the model, of the emotion labels of theirs: Wut is anger, sad is sadness." in progress.said
    assert set(theirs.table["emotion"]) == {"Wut", "sad", "neutral"}


def test_labels_that_fit_in_one_class_or_none_are_refused_with_both_lists(
    voices: tuple[Corpus, Model, FeatureCache, Path], tmp_path: Path
) -> None:
    _, model, cache, _ = voices
    fresh = make_corpus(tmp_path / "fresh", speakers=2, seed=5)
    theirs = relabelled(fresh, {"anger": "anger!", "sadness": "low"})
    with pytest.raises(AffuseError) as caught:
        evaluate_model(model, theirs, cache, Quiet())
    assert str(caught.value) == (
        "The emotion labels of theirs (anger! 8, low 8, neutral 8) are not those of the model (anger, sadness, "
        "neutral): only neutral is among both. Say which are meant by rename={'anger!': 'anger'}, with a pair for each "
        "label."
    )
    none = relabelled(fresh, {"anger": "anger!", "sadness": "low", "neutral": "calm"})
    with pytest.raises(AffuseError, match="none is among both"):
        evaluate_model(model, none, cache, Quiet())
    german = relabelled(fresh, {"anger": "rot", "sadness": "blau", "neutral": "egal"})
    with pytest.raises(AffuseError, match=r"rename=\{'THEIRS': 'OURS'\}"):  # no guess that would mislead
        evaluate_model(model, german, cache, Quiet())
    mapped = rename_labels(theirs, {"anger!": "anger", "low": "sadness"})
    assert evaluate_model(model, mapped, cache, Quiet()).recalls["n"].tolist() == [8, 8, 8]
    with pytest.raises(AffuseError, match="rename angri: There is no 'angri'"):
        rename_labels(theirs, {"angri": "anger"})


def test_labels_of_which_some_fit_are_measured_and_said(
    voices: tuple[Corpus, Model, FeatureCache, Path], tmp_path: Path
) -> None:
    _, model, cache, _ = voices
    fresh = make_corpus(tmp_path / "fresh", speakers=2, seed=5)
    progress = Quiet()
    found = evaluate_model(model, relabelled(fresh, {"anger": "bored"}), cache, progress)
    assert len(found.predictions) == 16
    told = " ".join(progress.said)
    assert "8 of 24 emotion labels of theirs are not among the model's: bored 8, left out" in told
    assert "Compared are sadness, neutral." in told
    assert "No utterance is labelled anger (emotion): BACC is the mean over the other 2 classes" in told
    angry = Corpus(fresh.table[fresh.table["emotion"] == "anger"], fresh.info, fresh.folder)
    progress = Quiet()
    found = evaluate_model(model, relabelled(angry, {}), cache, progress)
    assert "Every emotion label is anger: ACC and BACC are the recall of that class alone" in " ".join(
        progress.said
    )


def test_a_trained_encoder_reads_for_itself_wherever_it_began(tmp_path: Path) -> None:
    """Its weights are the model's; the folder that training began with may be gone, and the model's has none."""
    corpus, bert = make_corpus(tmp_path / "one"), tiny_bert(tmp_path / "bert")
    recipe = Recipe.load(
        "server",
        [
            "modalities.audio=null",
            f"modalities.text.options.model={bert}",
            "modalities.text.frozen=false",
            "epochs=1",
        ],
    )
    cache, out = FeatureCache(tmp_path / "cache"), tmp_path / "run"
    experiment = set_up(corpus, recipe, cache, Quiet())
    train_fold(experiment, experiment.recipe, 0, out)
    shutil.rmtree(bert)
    found = evaluate_model(load_model(out), corpus, cache, Quiet(), split=out / "split.csv")
    assert_same(found.predictions, out)


def test_labels_by_a_users_file_or_mapping(
    voices: tuple[Corpus, Model, FeatureCache, Path], tmp_path: Path
) -> None:
    """Several may become one, null leaves one out, and the numbers are those of labels that were written so."""
    _, model, cache, _ = voices
    fresh = make_corpus(tmp_path / "fresh", speakers=2, seed=5)
    theirs = relabelled(fresh, {"anger": "no", "sadness": "grief", "neutral": "flat"})
    path = tmp_path / "map.yaml"
    path.write_text("no: Wut\ngrief: sadness\nflat: sad\n", encoding="utf-8")
    progress = Quiet()
    found = evaluate_model(model, theirs, cache, progress, labels=read_label_map(path))
    expected = evaluate_model(model, relabelled(fresh, {"neutral": "sadness"}), cache, Quiet())
    pd.testing.assert_frame_equal(found.metrics, expected.metrics)
    assert (
        f"By {path}, of the emotion labels of theirs: no is anger, grief is sadness, flat is sadness."
        in progress.said
    )
    progress = Quiet()
    rest = read_label_map({"no": "anger", "grief": "sadness", "*": None})
    few = evaluate_model(model, theirs, cache, progress, labels=rest)
    assert sorted(few.predictions["emotion"].unique()) == ["anger", "sadness"]
    assert "8 of 24 utterances have no label to compare: left out." in progress.said
    assert set(theirs.table["emotion"]) == {"no", "grief", "flat"}  # stays as it is


def test_a_label_of_two_tasks_is_mapped_in_both_and_every_other_in_the_tasks_that_are_named() -> None:
    table = pd.DataFrame({
        "id": ["a", "b", "c"], "text": ["x", "y", "z"], "emotion": ["flat", "joy", "mad"],
        "sentiment": ["flat", "good", "good"],
    })  # fmt: skip
    info = CorpusInfo(
        name="two", label_spaces={"emotion": ["flat", "joy", "mad"], "sentiment": ["flat", "good"]}
    )
    spaces = {"emotion": ["neutral", "happiness"], "sentiment": ["neutral", "positive"]}
    corpus = Corpus(table, info)
    mapped, said = by_map(corpus, read_label_map({"flat": "neutral", "good": "positive"}), spaces)
    assert mapped.table["emotion"].tolist() == ["neutral", "joy", "mad"]
    assert mapped.table["sentiment"].tolist() == ["neutral", "positive", "positive"]
    assert len(said) == 2
    mapped, _ = by_map(corpus, read_label_map({"joy": "happy", "*": None}), spaces)
    assert mapped.table["emotion"].fillna("-").tolist() == ["-", "happiness", "-"]
    assert mapped.table["sentiment"].tolist() == ["flat", "good", "good"]
    assert mapped.info.label_spaces == {"emotion": ["happiness"], "sentiment": ["flat", "good"]}
    with pytest.raises(AffuseError, match=r"labels, \*: There is no 'bliss' among the labels of the model"):
        by_map(corpus, read_label_map({"*": "bliss"}), spaces)
    twice = read_label_map({"joy": "happy", "joyful": None})
    with pytest.raises(
        AffuseError, match=r"labels, joyful: it means joy in two, which is to be happiness already; keep one"
    ):
        by_map(corpus, twice, spaces)


@pytest.mark.parametrize("labels", [{}, {"a": 1}, {1: "a"}, {"a": ""}, {"a": ["b"]}])
def test_a_map_that_is_none(labels: Any) -> None:
    with pytest.raises(
        AffuseError, match=r"^labels.* it maps labels of the corpus to labels of the model, or to null"
    ):
        read_label_map(labels)

"""A corpus made of a data frame: the checks of a file's, in memory, in other processes, and shown."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import affuse
from affuse.corpora.corpus import Corpus
from affuse.corpora.readers.table import prepare
from affuse.errors import AffuseError
from affuse.recipe.axes import axes_of
from affuse.training.cache import FeatureCache
from affuse.training.compare import compare
from affuse.training.variants import make_variants
from corpus_files import write_tone
from quiet import Quiet
from small_corpus import make_corpus


def test_the_public_name() -> None:
    assert affuse.Corpus is Corpus


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": ["a", "b"], "start": [0.0, np.inf]}, "DataFrame, index 'y', start: 'inf' is not a number of seconds"),
        ({"text": ["a", "b"], "sex": ["f", "x"]}, "DataFrame, index 'y', gender: There is no 'x'"),
        ({"text": ["a", "b"], "id": ["u", "u"]}, "DataFrame, index 'y', id: 'u' is also the id of index 'x'"),
        ({"audio": [np.zeros(3), np.zeros(3)]}, "DataFrame, index 'x', audio: it holds a value of type ndarray, where"),
        ({"audio": ["a.wav", "b.wav"]}, "DataFrame: none of its audio and video files exists"),
        ({"mood": ["a", "b"]}, "DataFrame has no column audio, video, text or features_<name>; it has mood"),
        ({"text": [], "emotion": []}, "The DataFrame has no rows"),
    ],
)  # fmt: skip
def test_errors_name_index_and_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(columns, index=["x", "y"][: len(next(iter(columns.values())))])
    with pytest.raises(AffuseError, match=re.escape(message)):
        Corpus.from_frame(frame)


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(AffuseError, match="made from a pandas DataFrame, not from 'list'"):
        Corpus.from_frame([{"text": "a"}])  # type: ignore[arg-type]
    twice = pd.DataFrame([["a", "b"]], columns=["text", "text "])
    with pytest.raises(AffuseError, match="has the column 'text' twice"):
        Corpus.from_frame(twice)
    with pytest.raises(AffuseError, match="There is no 'Mood' among the columns of DataFrame"):
        Corpus.from_frame(pd.DataFrame({"text": ["a"]}), columns={"emotion": "Mood"})


def test_the_frame_stays_as_it_is_and_the_table_is_a_copy() -> None:
    frame = pd.DataFrame(
        {"Text": ["a b", None], "Label": pd.Categorical(["x", "y"]), "take": [1, 2]}, index=[5, 5]
    )
    before = frame.copy(deep=True)
    corpus = Corpus.from_frame(frame.assign(audio=None), labels={"emotion": {"x": "z"}}, notes=["mine"])
    pd.testing.assert_frame_equal(frame, before)
    table = corpus.to_frame()
    table["text"] = "changed"
    assert corpus.table["text"].fillna("-").tolist() == ["a b", "-"]
    assert corpus.info.label_spaces == {"emotion": ["y", "z"]}
    assert corpus.info.notes == ["mine"]


def test_paths_are_found_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tone(tmp_path / "clips" / "a.wav", 0.3)
    np.save(tmp_path / "clips" / "face.npy", np.zeros((1, 2)))
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"audio": [Path("a.wav")], "emotion": ["x"], "features_face": ["face.npy#0"]})
    corpus = Corpus.from_frame(frame, media_root="clips")
    there = pickle.loads(pickle.dumps(corpus))
    monkeypatch.chdir(tmp_path.parent)
    (one,) = there.utterances()
    assert len(one.waveform(8000)) == 2400
    assert one.features == {"face": f"{tmp_path.as_posix()}/clips/face.npy#0"}
    saved = corpus.save(tmp_path / "saved")
    assert [u.audio for u in Corpus.load(tmp_path / "saved").utterances()] == [
        u.audio for u in saved.utterances()
    ]


def test_an_index_with_a_name_is_a_column_as_in_parquet(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"text": ["a b", "c d"], "emotion": ["x", "y"]}, index=pd.Index(["u1", "u2"], name="id")
    )
    frame.to_parquet(tmp_path / "mine.parquet")
    corpus = Corpus.from_frame(frame)
    assert corpus.table["id"].tolist() == ["u1", "u2"]
    assert corpus.hash == prepare(tmp_path / "mine.parquet", tmp_path / "corpus").hash


def test_what_is_shown() -> None:
    frame = pd.DataFrame({
        "text": ["a b", "c d", "e f"], "emotion": ["<b>", "x", None], "speaker": ["s", "s", "t"],
        "gender": ["f", "m", None], "session": ["1", "2", "2"],
    })  # fmt: skip
    corpus = Corpus.from_frame(frame, name="mine", title="My corpus")
    assert repr(corpus) == (
        "Corpus('mine', 3 utterances, 2 speakers, emotion: <b> 1, x 1, blank 1, gender: female 1, male 1, blank 1)"
    )
    page = corpus._repr_html_()
    assert "<b>My corpus</b>: 3 utterances, 2 speakers, text 3" in page
    assert "<td>&lt;b&gt;</td>" in page
    assert "<td>(blank)</td>" in page
    assert "There was no column of ids" in page
    counts = corpus.counts()
    assert counts["utterances"].tolist() == [1, 1, 1, 1, 1, 1]
    assert (counts[["female", "male", "gender unknown"]].sum(axis=1) == counts["utterances"]).all()
    assert (counts[["session 1", "session 2"]].sum(axis=1) == counts["utterances"]).all()


def test_one_label_too_many_for_a_line() -> None:
    frame = pd.DataFrame({"text": [f"t {i}" for i in range(12)], "emotion": [f"e{i:02}" for i in range(12)]})
    assert repr(Corpus.from_frame(frame)).endswith("e07 1, and 4 more)")


def test_a_corpus_that_was_never_saved_is_trained_on_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = make_corpus(tmp_path, speakers=6, each=2)
    frame = small.to_frame()[["id", "audio", "text", "speaker", "gender", "emotion"]]
    corpus = Corpus.from_frame(frame, name="mine", media_root=small.media_root)
    assert corpus.folder is None
    monkeypatch.chdir(tmp_path / "media")
    corpus = pickle.loads(pickle.dumps(corpus))  # as a worker process gets it
    changes = [
        "modalities.text=null", "modalities.audio.encoder=logmel", "modalities.audio.options.bands=16", "epochs=1",
        "protocol.kind=group_k_fold", "protocol.folds=2", "protocol.validation.fraction=0.2",
    ]  # fmt: skip
    variants = make_variants("server", axes_of(["seed=0"]), changes)
    found = compare(variants, corpus, tmp_path / "out", FeatureCache(tmp_path / "cache"), Quiet())
    assert len(found.results) == 2
    assert not found.failed


def test_importing_corpus_is_quick() -> None:
    code = "import sys, affuse; affuse.Corpus; print([m for m in ('torch', 'av', 'cv2') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"

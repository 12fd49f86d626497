"""Tables as people have them: what is guessed, what is said of it, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from affuse.corpora.corpus import Corpus
from affuse.corpora.readers.table import prepare
from affuse.errors import AffuseError
from corpus_files import write_tone


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the sounds that the tables name."""
    for name in ("a", "b", "s1/x", "s2/x"):
        write_tone(tmp_path / "clips" / f"{name}.wav", 0.3)
    return tmp_path


# (the file's bytes, the options, id, audio, emotion, gender and speaker of its two rows)
TABLES: dict[str, tuple[bytes, dict[str, Any], list[list[str | None]]]] = {
    "the one of N13": (
        b"Filename;Emotion;Sex;Speaker\na.wav;happy;F;7\nb.wav;sad;M;8\n",
        {"media_root": "clips"},
        [["a", "b"], ["a.wav", "b.wav"], ["happy", "sad"], ["female", "male"], ["7", "8"]],
    ),
    "its columns named": (
        b"Filename;Emotion;Sex;Speaker\na.wav;happy;F;7\nb.wav;sad;M;8\n",
        {"media_root": "clips", "audio": "Filename", "emotion": "Emotion", "speaker": "Speaker", "gender": "Sex"},
        [["a", "b"], ["a.wav", "b.wav"], ["happy", "sad"], ["female", "male"], ["7", "8"]],
    ),
    "Excel's Unicode text": (
        b"\xff\xfe"
        + "path\tLabel\tGender\tSpk ID\r\nclips/a.wav\tWut\tweiblich\t1\r\n".encode("utf-16-le")
        + "clips/b.wav\tTrauer\tMännlich\t2\r\n".encode("utf-16-le"),
        {},
        [["a", "b"], ["clips/a.wav", "clips/b.wav"], ["Wut", "Trauer"], ["female", "male"], ["1", "2"]],
    ),
    "Excel's CSV with its first line": (
        b'"sep=;"\r\nWav;Label\r\nclips/a.wav;ang\r\nclips/b.wav;neu\r\n',
        {},
        [["a", "b"], ["clips/a.wav", "clips/b.wav"], ["ang", "neu"], [None, None], [None, None]],
    ),
    "Excel's plain CSV": (
        "Datei;Gefühl;Sprecher\r\nclips/a.wav;fröhlich;Jürgen\r\nclips/b.wav;traurig;Zoë\r\n".encode("cp1252"),
        {"encoding": "cp1252", "audio": "Datei", "emotion": "Gefühl", "speaker": "Sprecher"},
        [["a", "b"], ["clips/a.wav", "clips/b.wav"], ["fröhlich", "traurig"], [None, None], ["Jürgen", "Zoë"]],
    ),
    "written by pandas on Windows": (
        b",file_path,label,speaker_id\r\n0,clips\\a.wav,ang,s1\r\n1,clips\\b.wav,neu,s2\r\n",
        {},
        [["a", "b"], ["clips/a.wav", "clips/b.wav"], ["ang", "neu"], [None, None], ["s1", "s2"]],
    ),
    "the same name in two folders": (
        b"wav,emotion,actor\nclips/s1/x.wav,ang,1\nclips/s2/x.wav,neu,2\n",
        {},
        [["clips_s1_x", "clips_s2_x"], ["clips/s1/x.wav", "clips/s2/x.wav"], ["ang", "neu"], [None, None], ["1", "2"]],
    ),
    "pieces of one file": (
        b"utterance_id,wav_path,start_time,end_time,EMOTION,sex\nu1,a.wav,0,0.1,ang,f\nu2,a.wav,0.1,0.3,neu,male\n",
        {"media_root": "clips"},
        [["u1", "u2"], ["a.wav", "a.wav"], ["ang", "neu"], ["female", "male"], [None, None]],
    ),
    "pieces without ids": (
        b"wav_path,start_time,end_time,class\na.wav,0,0.1,1\na.wav,0.1,0.3,2\n",
        {"media_root": "clips"},
        [["a_1", "a_2"], ["a.wav", "a.wav"], ["1", "2"], [None, None], [None, None]],
    ),
    "a column that is none of ours": (
        b"audio,emotion,speaker,subject\nclips/a.wav,ang,s1,maths\nclips/b.wav,neu,s2,art\n",
        {},
        [["a", "b"], ["clips/a.wav", "clips/b.wav"], ["ang", "neu"], [None, None], ["s1", "s2"]],
    ),
    "a guess turned away": (
        b"audio,label,class\nclips/a.wav,ang,\nclips/b.wav,neu,\n",
        {"emotion": ""},
        [["a", "b"], ["clips/a.wav", "clips/b.wav"], [None, None], [None, None], [None, None]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_tables_as_people_have_them(place: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content, options, expected = TABLES[name]
    (place / "mine.csv").write_bytes(content)
    monkeypatch.chdir(place)
    prepare("mine.csv", "corpus", **options)
    corpus = Corpus.load("corpus")
    shown = corpus.table[["id", "audio", "emotion", "gender", "speaker"]].astype(object)
    assert shown.where(shown.notna(), None).T.values.tolist() == expected
    assert all(one.audio is not None and one.audio.is_file() for one in corpus.utterances())  # type: ignore[union-attr]
    assert corpus.info.notes == []  # which the model card prints


def test_what_was_guessed_is_one_sentence_and_not_kept(place: Path) -> None:
    (place / "mine.csv").write_text("Filename;Emotion;Sex;Speaker\nclips/a.wav;happy;F;7\n")
    said: list[str] = []

    class Listener:
        def start(self, task: str, total: int, done: int = 0) -> Any: ...
        def count(self, task: str) -> Any: ...
        def say(self, message: str) -> None:
            said.append(message)

    corpus = prepare(place / "mine.csv", place / "corpus", progress=Listener())
    assert corpus.remarks[0] == (
        "Columns were taken by their usual names: audio is 'Filename', speaker is 'Speaker', gender is 'Sex', "
        "emotion is 'Emotion'; to take another, say columns={'audio': 'COLUMN'}."
    )
    assert len(said) == len(corpus.remarks) == 2
    assert not any("unknown" in one or "extra" in one for one in said)
    assert Corpus.load(place / "corpus").remarks == ()


@pytest.mark.parametrize(
    ("content", "options", "remark"),
    [
        ("wav,mood,who\nclips/a.wav,x,y\n", {},
         "No column was found for emotion and speaker; the table also has 'mood', 'who'. If one of them holds the "
         "emotion, say columns={'emotion': 'COLUMN'}."),
        ("wav,mood,who\nclips/a.wav,x,y\n", {"emotion": "mood"},
         "No column was found for speaker; the table also has 'who'. If one of them holds the speaker, say "
         "columns={'speaker': 'COLUMN'}."),
        ("wav,mood,who\nclips/a.wav,x,y\n", {"emotion": "mood", "speaker": ""}, None),
        ("audio,emotion\nclips/a.wav,x\n", {}, None),
    ],
)  # fmt: skip
def test_a_column_that_was_not_found_is_named_with_those_that_may_be_it(
    place: Path, content: str, options: dict[str, Any], remark: str | None
) -> None:
    (place / "mine.csv").write_text(content)
    remarks = prepare(place / "mine.csv", place / "corpus", **options).remarks
    assert [one for one in remarks if "was found" in one] == ([] if remark is None else [remark])


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("file,path\nclips/a.wav,clips/b.wav\n", {},
         "has the columns 'file', 'path', and each may be audio; name the one to take: columns={'audio': 'file'}"),
        ("audio,label,category\nclips/a.wav,x,y\n", {}, "has the columns 'label', 'category', and each may be emotion"),
        ("audio,sex\nclips/a.wav,2\n", {},
         "row 2, gender: There is no '2' among the labels of 'gender' (there are female, male); map it: "
         "labels={'gender': {'2': '...'}}"),
        ("audio\nclips/a.wav\n", {"emotion": "Mood"}, "emotion: There is no 'Mood' among the columns of"),
        ("audio\nclips/a.wav\n", {"encoding": "cp125"}, "encoding: Value error, 'cp125' is no encoding"),
        ("audio\na.wav\n", {}, "name the folder that the paths start from: media_root='FOLDER'"),
        ("name,mood\nx,y\n", {}, "Say which column names the files: columns={'audio': 'COLUMN'}, and in the same"),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_refused(
    place: Path, content: str, options: dict[str, Any], message: str
) -> None:
    (place / "mine.csv").write_text(content)
    with pytest.raises(AffuseError, match=re.escape(message)):
        prepare(place / "mine.csv", place / "corpus", **options)
    assert not (place / "corpus").exists()


def test_our_own_name_in_other_letters_goes_before_a_usual_one(place: Path) -> None:
    (place / "mine.csv").write_text("Audio,Emotion,label\nclips/a.wav,happy,1\n")
    assert prepare(place / "mine.csv", place / "corpus").table["emotion"].tolist() == ["happy"]


def test_columns_that_hold_something_else_are_not_taken(place: Path) -> None:
    (place / "mine.csv").write_text("audio,file,utterance,begin\nclips/a.wav,notes.txt,7,00:10\n")
    corpus = prepare(place / "mine.csv", place / "corpus")
    assert corpus.table[["video", "text", "start"]].isna().all(axis=None)
    assert corpus.table[["file", "utterance", "begin"]].to_numpy().tolist() == [["notes.txt", "7", "00:10"]]


def test_films_are_sound_and_picture(place: Path) -> None:
    (place / "talk.mp4").write_bytes(b"x")
    (place / "mine.csv").write_text("path,emotion\ntalk.mp4,happy\n")
    table = prepare(place / "mine.csv", place / "corpus").table
    assert table[["audio", "video"]].to_numpy().tolist() == [["talk.mp4", "talk.mp4"]]


def test_a_start_without_an_end_is_said(place: Path) -> None:
    (place / "mine.csv").write_text("audio,start,duration\nclips/a.wav,0.1,0.1\n")
    (remark,) = (one for one in prepare(place / "mine.csv", place / "corpus").remarks if "start" in one)
    assert remark == (
        "The table has start and no end: every clip goes on to the end of its file. The column 'duration' is not "
        "read; add it to start and give the sum."
    )


def test_more_labels_than_a_task_has_are_said(place: Path) -> None:
    rows = "".join(f"clips/a.wav,word {i}\n" for i in range(60))
    (place / "mine.csv").write_text(f"audio,label\n{rows}")
    remarks = prepare(place / "mine.csv", place / "corpus").remarks
    assert "The task emotion has 60 different labels in 60 rows; is it the right column?" in " ".join(remarks)


def test_options_of_a_file_and_those_beside_it(place: Path) -> None:
    (place / "mine.csv").write_text("Datei,Mood,Other\na.wav,x,1\nb.wav,y,2\n")
    (place / "options.yaml").write_text("audio: Datei\nemotion: Mood\nmedia_root: clips\nname: no\n")
    corpus = prepare(place / "mine.csv", place / "corpus", options=place / "options.yaml", emotion="Other")
    assert corpus.table["emotion"].tolist() == ["1", "2"]
    assert corpus.info.name == "no"
    labels = {"emotion": ["y", "x"]}
    corpus = prepare(place / "mine.csv", place / "two", options=place / "options.yaml", labels=labels)
    assert corpus.info.label_spaces == labels


def frame_of(path: Path) -> pd.DataFrame:
    return pd.read_csv(path)


@pytest.mark.parametrize(
    "content",
    [
        "Filename,Emotion,Sex,Speaker,age,score\nclips/a.wav,happy,F,7,30,0.25\nclips/b.wav,sad,m,8,41,1e-05\n",
        "audio,start,end,emotion,valence\nclips/a.wav,0,0.1,x,\nclips/a.wav,0.1,0.3,,2.5\n",
        "id,text,emotion,session\nu1,hello there,x,3\nu2,caf\u00e9 au lait,y,4\n",
    ],
)
def test_a_frame_and_a_file_of_the_same_cells_are_one_corpus(
    place: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "mine.csv").write_text(content, encoding="utf-8")
    monkeypatch.chdir(place)
    read = prepare("mine.csv", "corpus")
    made = Corpus.from_frame(frame_of(place / "mine.csv"), name="mine")
    assert made.hash == read.hash
    assert made.info.label_spaces == read.info.label_spaces
    pd.testing.assert_frame_equal(made.table, read.table)
    assert made.save(place / "saved").hash == Corpus.load(place / "saved").hash == read.hash

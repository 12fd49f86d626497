import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affuse.corpora.corpus import Corpus
from affuse.corpora.readers.table import prepare
from affuse.errors import AffuseError
from corpus_files import write_tone


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_everything_at_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_tone(tmp_path / "sounds" / f"{name}.wav", 1.0)
    np.save(tmp_path / "faces.npy", np.zeros((3, 2)))
    source = write(
        tmp_path / "my.csv",
        "clip,label,sex,start,end,mood,features_face,comment\n"
        'a.wav,exc,F,0.25,0.5,3.5,faces.npy#0,"first, line\nsecond"\n'
        "a.wav,hap,Female,0.5,0.75,,faces.npy#2,NA\n"
        "\n"
        "b.wav,xxx,m,,,-1,,\n",
    )
    options = write(
        tmp_path / "options.yaml",
        "name: mine\nlicence: own\nmedia_root: sounds\n"
        "columns: {audio: clip, emotion: label, gender: sex, valence: mood}\n"
        "labels: {emotion: {exc: hap, hap: hap, xxx: null}}\n"
        "label_spaces: {emotion: [hap, sad]}\n",
    )
    prepare(source, tmp_path / "out", options=options)
    corpus = Corpus.load(tmp_path / "out")
    first, second, third = corpus.utterances()
    assert (first.audio, first.start, first.end) == (tmp_path / "sounds" / "a.wav", 0.25, 0.5)
    assert third.audio == tmp_path / "sounds" / "b.wav"
    assert first.features == {"face": f"{tmp_path.as_posix()}/faces.npy#0"}
    assert third.features == {}
    assert corpus.table["emotion"].fillna("-").tolist() == ["hap", "hap", "-"]
    assert corpus.table["gender"].tolist() == ["female", "female", "male"]
    assert corpus.table["valence"].fillna(0).tolist() == [3.5, 0, -1]
    assert corpus.table["comment"].fillna("-").tolist() == ["first, line\nsecond", "NA", "-"]
    assert corpus.info.label_spaces == {"emotion": ["hap", "sad"], "gender": ["female", "male"]}
    assert (corpus.info.name, corpus.info.licence, corpus.info.generated) == ("mine", "own", False)
    assert second.id == "a_2"  # 'a' twice, so the files' names do not tell rows apart


def test_require_leaves_unlabelled_rows_out(tmp_path: Path) -> None:
    source = write(tmp_path / "my.csv", "id,text,emotion\n1,a,ang\n2,b,xxx\n3,c,\n")
    options = {"labels": {"emotion": {"ang": "anger", "*": None}}, "require": ["emotion"]}
    corpus = prepare(source, tmp_path / "out", options=options)
    assert corpus.table["id"].tolist() == ["1"]
    assert corpus.info.label_spaces == {"emotion": ["anger"]}
    assert any("2 rows left out" in note for note in corpus.info.notes)
    with pytest.raises(AffuseError, match="no row has a label for emotion"):
        prepare(
            source, tmp_path / "out", options={"labels": {"emotion": {"*": None}}, "require": ["emotion"]}
        )


def test_semicolons_tabs_and_parquet_read_alike(tmp_path: Path) -> None:
    rows = [("x1", "one; two", "7", "2"), ("x2", "three", "8", "3.5")]
    names = ["id", "text", "session", "start"]
    write(tmp_path / "a.csv", ";".join(names) + '\nx1;"one; two";7;2\nx2;three;8;3.5\n')
    write(tmp_path / "b.tsv", "\t".join(names) + "\n" + "\n".join("\t".join(row) for row in rows) + "\n")
    write(tmp_path / "c.csv", "\ufeff" + ",".join(names) + "\r\nx1,one; two,7,2\r\nx2,three,8,3.5\r\n")
    frame = pd.DataFrame(rows, columns=names).astype({"session": "float64", "start": "float64"})
    frame.to_parquet(tmp_path / "d.parquet")
    tables = [prepare(path, tmp_path / "out" / path.stem).table for path in sorted(tmp_path.glob("?.*"))]
    assert len(tables) == 4
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0])
    assert tables[0]["session"].tolist() == ["7", "8"]


def test_ids_come_from_the_files_names(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav")
    source = write(tmp_path / "my.csv", "audio\na.wav\nsub/b.wav\n")
    corpus = prepare(source, tmp_path / "out")
    assert corpus.table["id"].tolist() == ["a", "b"]  # b.wav is for validate to miss
    assert corpus.remarks == ("There was no column of ids; they were made from the audio files' names.",)


def test_a_nearly_right_column_is_told(tmp_path: Path) -> None:
    corpus = prepare(write(tmp_path / "my.csv", "id,text,emotoin\n1,hi,x\n"), tmp_path / "out")
    assert corpus.remarks == ("The column 'emotoin' was kept as an extra one; did you mean 'emotion'?",)
    assert corpus.info.notes == []


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("id,text,start\n1,a,0\n2,b,x\n", {}, "my.csv, row 3, start: 'x' is not a number of seconds"),
        ("id;text;end\n1;a;0,5\n", {}, "row 2, end: '0,5' is not a number of seconds; write the decimals"),
        ("id,text,valence\n1,a,inf\n", {}, "row 2, valence: 'inf' is not a number"),
        ("id,text,channel\n1,a,1.5\n", {}, "row 2, channel: '1.5' is not a channel"),
        ("id,text,side\n1,a,top\n", {}, "row 2, side: 'top' is not left, right or blank"),
        ("id,text,gender\n1,a,f\n2,b,x\n", {}, "row 3, gender: There is no 'x' among the labels of 'gender'"),
        ("id,text\n1,a\n\n1,b\n", {}, "row 4, id: '1' is also the id of row 2"),
        ("id,text\n1,a\n,b\n", {}, "row 3, id: it is blank"),
        ("id,text,features_f\n1,a,x.csv\n", {}, "row 2, features_f: 'x.csv' is not like array.npy"),
        (
            "id,text,emotion\n1,a,happy\n2,b,sda\n",
            {"label_spaces": {"emotion": ["happy", "sad"]}},
            "row 3, emotion: There is no 'sda' among the labels of 'emotion' (did you mean 'sad'?)",
        ),
        ("id,emotion\n1,a\n", {}, "has no column audio, video, text or features_<name>; it has id, emotion"),
        ("id,text\n", {}, "my.csv has no rows"),
        ("", {}, "has no header"),
        ("id,text,text\n1,a,b\n", {}, "has the column 'text' twice"),
        ("id,text\n1,a,b\n", {}, "row 2 has 3 cells and the header 2"),
        ('id,text\n1,"a"b\n', {}, "correct the quotes"),
        ("id,audio\n1,a.wav\n", {}, "none of its audio and video files exists (the first of 1"),
        ("id,text\n1,a\n", {"columns": {"emotion": "labl"}}, "emotion: There is no 'labl' among the columns of"),
        ("id,text\n1,a\n", {"labels": {"mood": {}}}, "There is no 'mood' among the columns"),
        ("id,text\n1,a\n", {"colums": {}},
         "options: There is no 'colums' among the options of a table (did you mean 'columns'?)"),
    ],
)  # fmt: skip
def test_errors_name_file_row_and_field(tmp_path: Path, content: str, options: dict, message: str) -> None:
    source = write(tmp_path / "my.csv", content)
    with pytest.raises(AffuseError, match=re.escape(message)):
        prepare(source, tmp_path / "out", options=options)
    assert not (tmp_path / "out").exists()


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes("id,text\n1,ok\n2,für\n".encode("latin-1"))
    with pytest.raises(AffuseError, match=r"latin\.csv, line 3 is not UTF-8"):
        prepare(tmp_path / "latin.csv", tmp_path / "out")
    with pytest.raises(AffuseError, match="is not a file"):
        prepare(tmp_path / "none.csv", tmp_path / "out")
    with pytest.raises(AffuseError, match="is a spreadsheet; save it as CSV UTF-8"):
        prepare(write(tmp_path / "a.xlsx", "x"), tmp_path / "out")
    with pytest.raises(AffuseError, match="cannot be read as parquet"):
        prepare(write(tmp_path / "a.parquet", "x"), tmp_path / "out")
    with pytest.raises(AffuseError, match=r"bad\.yaml cannot be read as YAML"):
        prepare(
            write(tmp_path / "a.csv", "text\nx\n"),
            tmp_path / "out",
            options=write(tmp_path / "bad.yaml", "a: ["),
        )


def test_another_corpus_is_not_overwritten(tmp_path: Path) -> None:
    first, second = (write(tmp_path / name, "id,text\nx1,words\n") for name in ("first.csv", "second.csv"))
    prepare(first, tmp_path / "out")
    prepare(first, tmp_path / "out")  # the same corpus again
    with pytest.raises(AffuseError, match="holds the corpus 'first'; choose another folder"):
        prepare(second, tmp_path / "out")


def test_a_misspelt_target_or_label_is_noted(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv", "id,text,mood\nx1,words,exc\nx2,more,ang\n")
    corpus = prepare(source, tmp_path / "out", options={"columns": {"emoton": "mood"}})
    assert "The column 'emoton' is an extra one; did you mean 'emotion'?" in corpus.remarks
    options = {"columns": {"emotion": "mood"}, "labels": {"emotion": {"excc": "hap", "*": None}}}
    notes = prepare(source, tmp_path / "other", options={**options, "name": "other"}).remarks
    assert any("labels.emotion" in note and "did you mean 'exc'" in note for note in notes)


def test_a_renamed_column_is_no_extra_one(tmp_path: Path) -> None:
    source = write(tmp_path / "t.csv", "id;Text;Emotion;Speakr\n1;words;ang;a\n")
    columns = {"emotion": "Emotion", "text": "Text"}
    assert prepare(source, tmp_path / "out", columns=columns).remarks == (
        "The column 'Speakr' was kept as an extra one; did you mean 'speaker'?",
    )


def test_canonical_names_on_demand(tmp_path: Path) -> None:
    source = write(
        tmp_path / "my.csv", "text,emotion\na,happy\nb,joy\nc,Wut\nd,bliss\ne,\nf,neutral\ng,exc\n"
    )
    plain = prepare(source, tmp_path / "plain")
    assert plain.table["emotion"].fillna("-").tolist() == [
        "happy",
        "joy",
        "Wut",
        "bliss",
        "-",
        "neutral",
        "exc",
    ]
    labels = {"emotion": {"exc": "joy"}}
    corpus = prepare(source, tmp_path / "out", canonical=True, labels=labels)
    table = Corpus.load(tmp_path / "out").table
    assert table["emotion"].fillna("-").tolist() == [
        "happiness", "happiness", "anger", "bliss", "-", "neutral", "happiness",
    ]  # fmt: skip
    assert table["emotion_raw"].fillna("-").tolist() == plain.table["emotion"].fillna("-").tolist()
    assert corpus.info.label_spaces == {"emotion": ["anger", "bliss", "happiness", "neutral"]}
    told = " ".join(corpus.remarks)
    assert "Emotions by their canonical names: Wut is anger, happy is happiness, joy is happiness." in told
    assert "The vocabulary has no emotion 'bliss': kept" in told
    ordered = prepare(
        write(tmp_path / "two.csv", "text,emotion,emotion_raw\na,happy,7\nb,sad,9\n"), tmp_path / "two",
        canonical=True, label_spaces={"emotion": ["sad", "happy", "joy"]},
    )  # fmt: skip
    assert ordered.info.label_spaces == {"emotion": ["sadness", "happiness"]}
    assert ordered.table["emotion_raw"].tolist() == ["7", "9"]  # a column of the table's own stays

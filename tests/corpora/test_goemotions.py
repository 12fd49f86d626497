"""GoEmotions: a release of a few lines in the real format, its groups, its faults; and the real one where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

import affuse
from affuse.corpora.readers.goemotions import EKMAN, PUBLISHED, prepare
from affuse.errors import AffuseError
from corpus_files import real

FINE = [name for several in EKMAN.values() for name in several]


def write_release(
    folder: Path, names: list[str] = FINE, file: str = "emotions.txt", **lines: list[str]
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text("\n".join(names), encoding="utf-8")
    for word, content in lines.items():
        (folder / f"{word}.tsv").write_text("".join(f"{one}\n" for one in content), encoding="utf-8")
    return folder


def line(text: str, *labels: str, id: str = "a") -> str:
    return "\t".join([text, ",".join(str(FINE.index(label)) for label in labels), id])


def test_fine_labels_are_grouped_after_ekman(tmp_path: Path) -> None:
    source = write_release(
        tmp_path / "release" / "data",
        train=[line('"So" what?', "annoyance", "curiosity"), line("NA", "joy", "admiration", id="b")],
        dev=[line("Hm", "neutral", id="c")],
        test=[line("No", "grief", "disgust", id="d")],
    )
    corpus = prepare(source.parent, tmp_path / "out")
    table = corpus.table
    assert table["text"].tolist() == ['"So" what?', "NA", "Hm", "No"]
    assert table["emotions"].tolist() == ["anger;surprise", "happiness", "neutral", "disgust;sadness"]
    assert table["emotion"].fillna("").tolist() == ["", "happiness", "neutral", ""]
    assert table["split"].tolist() == ["train", "train", "validation", "test"]
    assert corpus.info.label_spaces == {"emotion": list(EKMAN)}
    assert corpus.info.notes[0].startswith("not the whole of GoEmotions: train 2 of 43410")
    fine = prepare(source, tmp_path / "fine", grouping="none")
    assert fine.table["emotions"].tolist() == [
        "annoyance;curiosity",
        "joy;admiration",
        "neutral",
        "disgust;grief",
    ]
    assert affuse.list_parts("corpora")["goemotions"]


def test_a_line_ends_where_a_file_says_so(tmp_path: Path) -> None:
    texts = ["Yes\u2028no", "Hm\x85\x0bwell\x1c"]  # that Python's splitlines takes for ends of lines
    source = write_release(tmp_path / "in", train=[line(text, "joy", id=text[0]) for text in texts])
    (source / "dev.tsv").write_bytes(
        line("Oh", "joy", id="o").encode() + b"\r\n" + line("Ah", "joy").encode()
    )
    table = prepare(source, tmp_path / "out").table
    assert table["id"].tolist() == ["Y", "H", "o", "a"]
    assert [len(text.split()) for text in table["text"]] == [2, 2, 1, 1]


def test_faults_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match="holds no GoEmotions release"):
        prepare(tmp_path, tmp_path / "out")
    short = write_release(tmp_path / "short", train=["Hm\t0"])
    with pytest.raises(AffuseError, match=r"train.tsv, line 1: 2 cells"):
        prepare(short, tmp_path / "out")
    beyond = write_release(tmp_path / "beyond", train=[line("Hm", "joy"), "Hm\t3,28\tb"])
    with pytest.raises(AffuseError, match=r"train.tsv, line 2: '28' is not a label's number, from 0 to 27"):
        prepare(beyond, tmp_path / "out")
    strange = write_release(tmp_path / "strange", ["anger", "glee"], train=["Hm\t0\ta"])
    with pytest.raises(AffuseError, match="glee is no label of GoEmotions"):
        prepare(strange, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_real_release(tmp_path: Path) -> None:
    corpus = prepare(real("goemotions"), tmp_path / "out")
    counts = corpus.table["split"].value_counts()
    assert counts.to_dict() == {
        "train": PUBLISHED["train"],
        "validation": PUBLISHED["dev"],
        "test": PUBLISHED["test"],
    }
    assert not [note for note in corpus.info.notes if note.startswith("not the whole")]
    assert corpus.table["emotions"].str.contains(";").sum() == 54_263 - corpus.table["emotion"].notna().sum()
    assert "joy" not in corpus.info.label_spaces["emotion"]

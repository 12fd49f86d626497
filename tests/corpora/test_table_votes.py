"""Votes of a user's own table: columns votes_<label>, counted, mapped, and refused where they are no votes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from affuse.corpora.corpus import Corpus
from affuse.corpora.corpus_files import ANNOTATIONS
from affuse.corpora.readers.table import prepare
from affuse.corpora.votes import outside, voted_tasks, votes
from affuse.errors import AffuseError

FRAME = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "text": ["one", "two", "three", "four"],
        "emotion": ["anger", "joy", "joy", None],
        "votes_anger": ["3", "", "1", "0"],
        "votes_joy": ["1", "4", "2", "0"],
        "votes_other stuff": ["1", "0", "0", "0"],
    }
)


def write(folder: Path, frame: pd.DataFrame) -> Path:
    frame.to_csv(folder / "mine.csv", index=False)
    return folder / "mine.csv"


def test_a_table_brings_its_votes(tmp_path: Path) -> None:
    corpus = prepare(write(tmp_path, FRAME), tmp_path / "c")
    assert not [name for name in corpus.table.columns if name.startswith("votes_")]
    again = Corpus.load(tmp_path / "c")
    assert voted_tasks(again) == ["emotion"]
    assert votes(again, "emotion", ["joy", "anger"]).to_numpy().tolist() == [[1, 3], [4, 0], [2, 1], [0, 0]]
    assert outside(again, "emotion", ["joy", "anger"]) == {"other stuff": 1}
    assert again.annotations is not None
    assert again.annotations["annotator"].isna().all()
    assert any("1 row without a vote for emotion" in remark for remark in corpus.remarks)


def test_votes_of_another_task_and_of_rows_that_stay(tmp_path: Path) -> None:
    frame = FRAME.assign(mood=["x", "y", None, "x"])
    corpus = prepare(
        write(tmp_path, frame), tmp_path / "c", votes="mood", require=["mood"], labels={"mood": {"joy": "x"}}
    )
    assert corpus.info.vote_labels == {"mood": {"joy": "x"}}
    assert votes(corpus, "mood", ["x", "anger"]).to_numpy().tolist() == [[1, 3], [4, 0], [0, 0]]


def test_without_labels_most_raters_decide() -> None:
    frame = FRAME.drop(columns="emotion").assign(votes_joy=["3", "4", "2", "0"])
    corpus = Corpus.from_frame(frame)
    assert corpus.table["emotion"].fillna("").tolist() == ["", "joy", "joy", ""]
    assert set(corpus.table["label_source"].dropna()) == {"votes"}
    assert corpus.info.label_spaces["emotion"] == ["anger", "joy", "other stuff"]
    assert not any("No column was found for emotion" in remark for remark in corpus.remarks)
    assert any("2 rows without a majority: blank" in remark for remark in corpus.remarks)
    merged = Corpus.from_frame(frame, labels={"emotion": {"other stuff": "anger", "jo": "joy"}})
    assert merged.table["emotion"].fillna("").tolist() == ["anger", "joy", "joy", ""]
    assert votes(merged, "emotion", ["anger", "joy"]).to_numpy().tolist() == [[4, 3], [0, 4], [1, 2], [0, 0]]
    assert any("There is no 'jo' among the labels" in remark for remark in merged.remarks)


def test_saved_again_over_its_folder_the_votes_stay(tmp_path: Path) -> None:
    Corpus.from_frame(FRAME).save(tmp_path / "c")
    before = pd.read_parquet(tmp_path / "c" / ANNOTATIONS)
    Corpus.load(tmp_path / "c").save(tmp_path / "c")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "c" / ANNOTATIONS), before)


def test_a_foreign_file_of_that_name_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / ANNOTATIONS).write_text("mine")
    with pytest.raises(AffuseError, match=r"annotations\.parquet is there already and is not affuse's"):
        prepare(write(tmp_path, FRAME), tmp_path / "c")
    assert (tmp_path / "c" / ANNOTATIONS).read_text() == "mine"


@pytest.mark.parametrize("cell", ["2.5", "-1", "many", "nan", "1e12"])
def test_a_cell_that_is_no_number_of_votes_is_named(tmp_path: Path, cell: str) -> None:
    frame = FRAME.assign(votes_joy=["1", cell, "2", "0"])
    with pytest.raises(AffuseError, match=rf"mine\.csv, row 3, votes_joy: '{cell}' is no number of votes"):
        prepare(write(tmp_path, frame), tmp_path / "c")
    assert not (tmp_path / "c" / ANNOTATIONS).exists()


def test_no_votes_at_all_are_told(tmp_path: Path) -> None:
    none = FRAME.assign(**{name: "0" for name in FRAME.columns if name.startswith("votes_")})
    with pytest.raises(AffuseError, match=r"no row has a vote in votes_anger, votes_joy"):
        prepare(write(tmp_path, none), tmp_path / "c")
    bare = FRAME[["id", "text", "emotion"]]
    with pytest.raises(AffuseError, match="has no column votes_<label>; it has id, text, emotion"):
        prepare(write(tmp_path, bare), tmp_path / "c", votes="emotion")
    all_out = {"anger": None, "joy": None, "other stuff": None}
    with pytest.raises(AffuseError, match=r"labels\.emotion leaves no label of the columns votes_<label>"):
        Corpus.from_frame(FRAME.drop(columns="emotion"), labels={"emotion": all_out})


def test_columns_of_votes_are_found_however_they_are_typed(tmp_path: Path) -> None:
    typed = {
        "votes_anger": "Votes_anger",
        "votes_joy": "VOTES_ joy",
        "votes_other stuff": "votes_other stuff",
    }
    corpus = prepare(write(tmp_path, FRAME.rename(columns=typed)), tmp_path / "c")
    assert votes(corpus, "emotion", ["joy", "anger"]).to_numpy().tolist() == [[1, 3], [4, 0], [2, 1], [0, 0]]


def test_two_columns_of_one_label_are_told(tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match="votes_joy and Votes_joy are both votes for 'joy'; keep one"):
        prepare(write(tmp_path, FRAME.assign(Votes_joy="1")), tmp_path / "c")


def test_a_sum_of_the_votes_is_no_label(tmp_path: Path) -> None:
    summed = FRAME.assign(votes_total=["5", "4", "3", "0"])
    with pytest.raises(
        AffuseError, match="votes_total is the sum of the other columns of votes in every row"
    ):
        prepare(write(tmp_path, summed), tmp_path / "c")
    labels = FRAME.assign(votes_total=["5", "4", "2", "0"])  # another number: a label may be called so
    assert (
        outside(prepare(write(tmp_path, labels), tmp_path / "d"), "emotion", ["joy", "anger"])["total"] == 11
    )

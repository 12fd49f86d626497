"""The one reader of users' tables, and the one reader of affuse's own CSV files."""

import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affuse.errors import AffuseError
from affuse.files import read_csv, write_csv
from affuse.files.names import find
from affuse.names import alike, quote, spellings, tidy
from affuse.tables import read_table


def read(tmp_path: Path, content: bytes | str, name: str = "mine.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path)


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("id,text\nx,a\ny,b\n", ["a", "b"]),
        ("id,text\r\nx,a\r\ny,b\r\n", ["a", "b"]),
        ("id,text\rx,a\ry,b\r", ["a", "b"]),
        ("\ufeffid;text\nx;a, c\ny;b\n", ["a, c", "b"]),
        ('"id, here"\ttext\nx\ta\ny\t"b\tc"\n', ["a", "b\tc"]),
        ("id;text, in English\nx;a\ny;b, and c\n", None),
        ("id,text,,\nx,a,,\ny,b,,\n", ["a", "b"]),
        (",id,text\n0,x,a\n1,y,b\n", ["a", "b"]),
        ('id,text\nx,"he said ""a"""\ny,b "c" d\n', ['he said "a"', 'b "c" d']),
        ("id,text\nx, NA \ny,1e5\n", ["NA", "1e5"]),
        ("id,text\nx,null\ny,TRUE\n", ["null", "TRUE"]),
        ("id,text\n\nx,007\n\ny,\u200binf\u00a0\n", ["007", "inf"]),
        ('id,text\nx,"one\ntwo\nthree"\ny,b\n', ["one\ntwo\nthree", "b"]),
    ],
)
def test_every_usual_form_of_csv_is_read_as_it_is_written(
    tmp_path: Path, content: str, texts: list[str] | None
) -> None:
    table = read(tmp_path, content).table
    assert list(table.iloc[:, 0]) == ["x", "y"]
    assert list(table.iloc[:, 1]) == (texts or ["a", "b, and c"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,text,\nx,a,\ny,b, c,\n", "row 3 has 3 cells and the header 2"),
        ("id,text\nx,a\n\ny\n", "row 4 has 1 cell and the header 2"),
        ('id,text\nx,"a\n', "row 2 .line 2.: unexpected end of data"),
        ("id,text\nx,Jos\xe9\n".encode("latin-1"), "line 2 is not UTF-8"),
        (b"PK\x03\x04", "is a zip file or a spreadsheet"),
        (b"\x1f\x8b\x08", "cannot be unzipped"),
        ("\n\n", "has no header"),
        ("id,id \nx,y\n", "has the column 'id' twice"),
    ],
)
def test_what_would_move_or_lose_a_cell_is_refused(
    tmp_path: Path, content: bytes | str, message: str
) -> None:
    with pytest.raises(AffuseError, match=message):
        read(tmp_path, content)


@pytest.mark.parametrize("name", ["a.xlsx", "a.ods", "a.json", "a.pkl", "a.feather", "a.zip", "a.docx", "a"])
def test_other_files_are_refused_by_their_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(AffuseError, match=r"save it as|write it as|unpack it"):
        read(tmp_path, b"x", name)


def test_columns_that_differ_in_case_are_told(tmp_path: Path) -> None:
    numbered = read(tmp_path, "emotion,Emotion\na,b\n")
    assert numbered.notes == (
        "the columns 'emotion', 'Emotion' differ in case or blanks alone; each is read by its own name",
    )


def test_parquet_of_every_kind_of_column(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "text": ["a", "NA"], "whole": [1.0, None], "half": [0.5, 1.0], "true": [True, None],
            "kind": pd.Categorical(["01", "nan"]), "day": pd.to_datetime(["2026-01-01", "2026-01-02"]),
            "list": [[1], [2]], "written": [b"caf\xc3\xa9", b"x"],
            "audio": [{"bytes": None, "path": "a.wav"}, {"bytes": None, "path": "b.wav"}],
        },
        index=pd.Index(["x", "y"], name="id"),
    )  # fmt: skip
    frame.to_parquet(tmp_path / "mine.parquet")
    numbered = read_table(tmp_path / "mine.parquet")
    assert numbered.table.astype(object).where(numbered.table.notna(), None).to_dict("list") == {
        "text": ["a", "NA"], "whole": ["1", None], "half": ["0.5", "1.0"], "true": ["True", None],
        "kind": ["01", "nan"], "day": ["2026-01-01", "2026-01-02"], "written": ["café", "x"],
        "audio": ["a.wav", "b.wav"], "id": ["x", "y"],
    }  # fmt: skip
    assert numbered.unread == {"list": "row 1, list: it holds a list, where a text or number is read"}
    with pytest.raises(AffuseError, match=r"mine\.parquet, row 1, list: it holds a list"):
        numbered.check_read("list")


def test_affuses_own_tables_come_back_as_they_were(tmp_path: Path) -> None:
    texts = ["null", "NA", "01", "yes", "1e-3", "", "nan", " a\r", 'q"\r\n,']
    table = pd.DataFrame({"setting": texts, "n": range(9), "value": [0.5, np.nan, *range(6), np.inf]})
    write_csv(tmp_path / "t.csv", table)
    found = read_csv(tmp_path / "t.csv", ["n", "value"])
    pd.testing.assert_frame_equal(found, table, check_dtype=False)
    assert found["n"].dtype == np.int64
    write_csv(tmp_path / "empty.csv", pd.DataFrame())
    assert read_csv(tmp_path / "empty.csv").empty
    (tmp_path / "t.csv").write_text("value\n1\nmany\n")
    with pytest.raises(AffuseError, match=r"t\.csv, row 3, value: 'many' is not a number"):
        read_csv(tmp_path / "t.csv", ["value"])


def test_one_name_has_one_form(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "José Ångström") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert tidy(decomposed) == tidy(f"\ufeff {composed}\u00a0") == composed
    joined = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"  # Persian, whose joiner is a letter's form
    assert tidy(joined) == joined
    assert alike("\uff21NNA  b") == alike("anna b")
    assert spellings(["b", "Anna", "anna", "B", "c"]) == [["Anna", "anna"], ["B", "b"]]
    (tmp_path / f"{decomposed}.wav").write_bytes(b"x")
    assert find(tmp_path / f"{composed}.wav") == tmp_path / f"{decomposed}.wav"
    (tmp_path / f"{composed}.wav").write_bytes(b"y")
    assert find(tmp_path / f"{composed}.wav") == tmp_path / f"{composed}.wav"


def test_a_message_quotes_no_whole_file() -> None:
    assert quote("short") == "'short'"
    assert len(quote("a" * 200_000)) < 100
    assert len(quote({"bytes": b"\0" * 10_000})) < 100

"""Reading a user's table file so that every row can be named as the user sees it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from affuse.errors import AffuseError


@dataclass(frozen=True)
class NumberedTable:
    """A table of strings (blank: null) that knows its file and its rows' numbers there.

    The index of ``table`` counts the file's rows from 0; ``first_row`` is what the user calls that one.
    """

    path: Path
    table: pd.DataFrame
    first_row: int

    def row(self, index: object) -> int:
        assert isinstance(index, int)
        return index + self.first_row

    def error(self, index: object, column: str, problem: str) -> AffuseError:
        return AffuseError(f"{self.path}, row {self.row(index)}, {column}: {problem}.")


def read_table(path: Path) -> NumberedTable:
    """Read .csv (comma or semicolon), .tsv or .parquet. Raises AffuseError saying what is wrong."""
    if not path.is_file():
        raise AffuseError(f"{path} is not a file; give a .csv, .tsv or .parquet table.")
    kind = path.suffix.lower()
    if kind == ".parquet":
        try:
            raw = pd.read_parquet(path)
        except Exception as error:  # pyarrow raises several kinds for a damaged file
            raise AffuseError(f"{path} cannot be read as parquet ({error}).") from None
        first_row = 1  # no header row
    elif kind in (".csv", ".tsv", ".txt"):
        raw = _read_text(path)
        first_row = 2
    else:
        raise AffuseError(f"{path} is not a .csv, .tsv or .parquet table; save it as one of them.")
    if raw.columns.has_duplicates:
        twice = sorted(set(raw.columns[raw.columns.duplicated()]))
        raise AffuseError(f"{path} has the column {', '.join(map(repr, twice))} twice; rename one.")
    table = pd.DataFrame({str(name): _as_text(raw[name]) for name in raw.columns})
    table.index = pd.RangeIndex(len(table))
    table = table[table.notna().any(axis=1)]  # blank lines; the others keep their numbers
    if table.empty:
        raise AffuseError(f"{path} has no rows; it needs a header and one row per utterance.")
    return NumberedTable(path, table, first_row)


def _read_text(path: Path) -> pd.DataFrame:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise AffuseError(f"{path}, line {line} is not UTF-8; save the file as UTF-8.") from None
    header = text.partition("\n")[0]
    if not header.strip():
        raise AffuseError(f"{path} has no header in its first line; it needs one with the columns' names.")
    separator = max("\t,;", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        names, *rows = reader
    except csv.Error as error:
        raise AffuseError(f"{path}, line {reader.line_num}: {error}; mend the quotes there.") from None
    names = [name.strip() for name in names]
    for number, cells in enumerate(rows, start=2):
        if len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :]):
            raise AffuseError(
                f"{path}, row {number} has {len(cells)} cells and the header {len(names)}; put cells that "
                f"contain {separator!r} in double quotes."
            )
    if "" in names:
        rows = [[cell for name, cell in zip(names, cells, strict=False) if name] for cells in rows]
        names = [name for name in names if name]
    width = len(names)
    return pd.DataFrame([(cells + [""] * width)[:width] for cells in rows], columns=names, dtype="string")


def _as_text(column: pd.Series) -> pd.Series:
    """Strings without stray space around them; empty ones null. Whole numbers lose a parquet float's '.0'."""
    if pd.api.types.is_float_dtype(column):
        whole = column.dropna().mod(1).eq(0).all()
        column = column.astype("Int64") if whole else column
    text = column.astype("string").str.strip()
    return text.mask(text == "")

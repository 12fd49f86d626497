"""Reading a user's table file so that every row can be named as the user sees it.

The one reader of users' tables: corpora, clips to predict, words, listings and splits all come through it. The CSV
files that affuse writes are read by ``files.read_csv``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from affuse.errors import AffuseError
from affuse.files.names import too_long
from affuse.names import alike, listed, quote, tidy
from affuse.tables.text import read_rows

_TEXT = (".csv", ".tsv", ".txt")
# endings of other tables -> what they are, and what to do
_OTHERS = {
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".ods", ".numbers"), "a spreadsheet; save it as CSV UTF-8 there"),
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), "JSON; write it as CSV, by pandas.read_json(...).to_csv(...) say"),
    **dict.fromkeys((".pkl", ".pickle"), "a pickle, which is never opened, for it may hold a program; write it as CSV"),
    **dict.fromkeys((".feather", ".arrow", ".orc", ".h5", ".hdf", ".hdf5"), "of another format; write it as parquet"),
    **dict.fromkeys((".zip", ".tar", ".tgz"), "an archive; unpack it"),
}  # fmt: skip


@dataclass(frozen=True)
class NumberedTable:
    """A table of strings (blank: null) that knows its file and its rows' numbers there.

    Args:
        path: The file, as messages show it; for a table in memory what it is called there.
        table: Its tidy texts (``names.tidy``); the index counts the file's rows from 0.
        first_row: What the user calls row 0.
        written: The texts as they stand in the file, for paths.
        unread: Columns whose cells are no texts (sound in bytes, lists) -> what is there, in a sentence.
        notes: What should be known of the table.
        labels: Of a table in memory: what its own index calls each row.
    """

    path: Path
    table: pd.DataFrame
    first_row: int
    written: pd.DataFrame = field(default_factory=pd.DataFrame)
    unread: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    labels: Sequence[object] | None = None

    def row(self, index: object) -> int:
        """Number a row of ``table`` as the file does."""
        assert isinstance(index, int)
        return index + self.first_row

    def place(self, index: object) -> str:
        """Name a row of ``table`` as the user finds it: "row 3", or "index 'a'" of a data frame."""
        if self.labels is None:
            return f"row {self.row(index)}"
        assert isinstance(index, int)
        return f"index {quote(self.labels[index])}"

    def error(self, index: object, column: str, problem: str) -> AffuseError:
        """Make the error that names file, row and column."""
        return AffuseError(f"{self.path}, {self.place(index)}, {column}: {problem}.")

    def check_read(self, column: str) -> None:
        """Raise AffuseError if the file has the column and its cells are no texts."""
        if column in self.unread:
            raise AffuseError(f"{self.path}, {self.unread[column]}.")

    def check_paths(self, column: str) -> None:
        """Raise AffuseError naming the first row in which the column is longer than the path of any file."""
        for row, text in self.written[column].dropna().items():
            if too_long(text):
                raise self.error(row, column, f"{quote(text)} is no path: no file has so long a name")

    def renamed(self, table: pd.DataFrame, written: pd.DataFrame) -> NumberedTable:
        """Keep the rows under other columns."""
        return replace(self, table=table, written=written)


def read_table(path: Path, spare_encoding: str = "") -> NumberedTable:
    """Read .csv (comma, semicolon or tab), .tsv, either of them gzipped, or .parquet.

    Args:
        path: The file.
        spare_encoding: Of CSV that is not UTF-8 (nor UTF-16 or UTF-32 with its mark); "": such a file is refused.

    Raises:
        AffuseError: The file is no such table; the sentence says what is wrong, and where.
    """
    if not path.is_file():
        raise AffuseError(f"{path} is not a file; give a .csv, .tsv or .parquet table.")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else (suffixes or [""])[-1]
    unread: dict[str, str] = {}
    notes: list[str] = []
    try:
        if kind == ".parquet":
            from affuse.tables.parquet import read_parquet

            raw, unread = read_parquet(path)
        elif kind in _TEXT:
            names, cells, notes = read_rows(path, spare_encoding)
            _refuse_twice(path, names)
            raw = pd.DataFrame(cells, columns=names, dtype="string")
        else:
            other = _OTHERS.get(kind)
            what = f"is {other}" if other else "is not a .csv, .tsv or .parquet table; save it as one of them"
            raise AffuseError(f"{path} {what}.")
    except OSError as error:
        raise AffuseError(f"{path} cannot be read ({(error.strerror or str(error)).lower()}).") from None
    table, written = texts_of(raw)
    if table.empty and not unread:
        raise AffuseError(f"{path} has no rows; it needs a header and one row per utterance.")
    first_row = 1 if kind == ".parquet" else 2  # a parquet file has no header row
    notes += notes_on_columns(list(table.columns), unread)
    return NumberedTable(path, table, first_row, written, unread, tuple(notes))


def texts_of(raw: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep the rows that hold something, tidy and as they are written; the index counts all rows from 0."""
    written = raw.apply(lambda column: column.str.strip()) if len(raw.columns) else raw
    written = written.mask(written == "")
    written.index = pd.RangeIndex(len(written))
    written = written[written.notna().any(axis=1)]  # blank lines; the others keep their numbers
    table = written.apply(lambda column: column.map(tidy, na_action="ignore").astype("string"))
    return table.mask(table == ""), written


def notes_on_columns(names: list[str], unread: Mapping[str, str]) -> list[str]:
    """Write sentences on columns that are easily taken for one another, and on those that are not read."""
    return [
        *(
            f"the columns {listed(map(repr, group))} differ in case or blanks alone; each is read by its own name"
            for group in _alike(names)
        ),
        *(f"{problem}: left out" for problem in unread.values()),
    ]


def _refuse_twice(path: Path, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise AffuseError(f"{path} has the column {listed(map(repr, twice))} twice; rename one.")


def _alike(names: list[str]) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(alike(name).replace(" ", ""), []).append(name)
    return [group for group in groups.values() if len(group) > 1]

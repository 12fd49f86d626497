"""CSV text to rows of cells: encodings, separators, quotes; whatever would move or swallow cells is refused."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from affuse.errors import AffuseError
from affuse.names import counted, quote, tidy

SEPARATORS = ",;\t"
_NAMED = {",": "','", ";": "';'", "\t": "tabs"}
_MARKS = {b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_LONGEST = 2**31 - 1  # letters of a cell; the most that csv takes on every system
_TRIED = 50  # rows by which a separator is chosen where the header has several


class Rows(NamedTuple):
    """A table of texts.

    Args:
        names: Of the columns.
        cells: Of every row below the header, as many as there are names.
        notes: What was left out.
    """

    names: list[str]
    cells: list[list[str]]
    notes: list[str]


def read_rows(path: Path, spare_encoding: str = "") -> Rows:
    """Read a .csv, .tsv or .txt file, gzipped or not; blank lines are rows of blank cells.

    Args:
        path: The file.
        spare_encoding: Of text that is not UTF-8; "": it is refused.

    Raises:
        AffuseError: The encoding is not known, quotes do not close, or a row has more or fewer cells than the header.
    """
    text = _decoded(path, spare_encoding)
    separator = None
    if declared := re.match(r'"?sep=(.)"?\r?\n?', text, re.I):  # Excel's own first line
        separator, text = declared[1], text[declared.end() :]
    with _long_cells():
        separator = separator or _separator(path, text)
        return _parsed(path, text, separator)


def _parsed(path: Path, text: str, separator: str) -> Rows:
    rows = _rows(path, text, separator)
    names = [tidy(name) for name in next(rows, [])]
    if not any(names):
        raise AffuseError(f"{path} has no header in its first line; it needs one with the columns' names.")
    width = (
        max(i for i, name in enumerate(names) if name) + 1
    )  # of the header without what is blank at its end
    named = [i for i, name in enumerate(names) if name]
    unnamed: set[int] = set()
    cells: list[list[str]] = []
    for number, row in enumerate(rows, start=2):
        if not any(cell.strip() for cell in row):
            cells.append([""] * len(named))
            continue
        filled = max(i for i, cell in enumerate(row) if cell.strip()) + 1
        if filled > width:
            raise AffuseError(
                f"{path}, row {number} has {counted(filled, 'cell')} and the header {width}; put cells that contain "
                f"{_named(separator)} in double quotes."
            )
        if len(row) < width:
            raise AffuseError(
                f"{path}, row {number} has {counted(len(row), 'cell')} and the header {width}; write the blank cells "
                "too, so that none is taken for another column's."
            )
        _refuse_swallowed(path, number, row, width, separator)
        unnamed |= {i for i in range(width) if row[i].strip() and not names[i]}
        cells.append([row[i] for i in named])
    notes = []
    if unnamed - {0}:  # the first one is the row's number, where pandas wrote the table
        notes.append(f"column {min(unnamed - {0}) + 1} has no name in the header and was left out")
    return Rows([names[i] for i in named], cells, notes)


def _rows(path: Path, text: str, separator: str) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    number = first = 1
    try:
        for row in reader:
            yield row
            number, first = number + 1, reader.line_num + 1
    except csv.Error as error:
        raise AffuseError(
            f"{path}, row {number} (line {first}): {error}; correct the quotes there: a quote inside a cell is written "
            "twice, and the cell in quotes."
        ) from None


def _separator(path: Path, text: str) -> str:
    """The one that the header has outside of quotes; of several, the one by which most rows fit the header."""
    if not text.strip():
        raise AffuseError(f"{path} has no header in its first line; it needs one with the columns' names.")
    header = re.split(r"[\r\n]", re.sub(r'"(?:[^"]|"")*"', "", text), maxsplit=1)[0]
    known = sorted((one for one in SEPARATORS if one in header), key=header.count, reverse=True)
    if len(known) < 2:
        return known[0] if known else ","

    def fit(separator: str) -> tuple[int, int]:
        sample = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        names = next(sample)
        rows = [row for row, _ in zip(sample, range(_TRIED), strict=False) if row]
        return sum(len(row) == len(names) for row in rows), len(names)

    return max(known, key=fit)


def _refuse_swallowed(path: Path, number: int, row: list[str], width: int, separator: str) -> None:
    """A quote that opens by mistake and closes many lines on makes one cell of the rows between."""
    for cell in row:
        inside = re.split(r"\r\n|\r|\n", cell)[1:-1] if "\n" in cell or "\r" in cell else []
        least = 1 if width > 2 else 3
        if width > 1 and len(inside) >= least and all(line.count(separator) == width - 1 for line in inside):
            raise AffuseError(
                f"{path}, row {number} holds {len(inside) + 2} lines in one cell, and they look like rows "
                f"({quote(inside[0])}); correct the quotes there."
            )


def _decoded(path: Path, spare: str) -> str:
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise AffuseError(f"{path} cannot be unzipped ({error}); fetch it again.") from None
    if data[:4] == b"PK\x03\x04":
        raise AffuseError(
            f"{path} is a zip file or a spreadsheet (.xlsx, .ods), not CSV; open it and save it as CSV UTF-8."
        )
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8-sig")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if spare:
            return data.decode(spare, errors="replace")
        line = data[: error.start].count(b"\n") + 1
        expected = "UTF-8" if encoding == "utf-8-sig" else encoding.upper()
        raise AffuseError(
            f"{path}, line {line} is not {expected}; save the file as UTF-8 (in Excel: CSV UTF-8)."
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise AffuseError(
            f"{path}, line {line} holds a zero byte, as text in another encoding (UTF-16 without its mark) or a "
            "damaged file does; save the file as UTF-8."
        )
    return text


@contextmanager
def _long_cells() -> Generator[None]:
    """The limit of csv's cells is one for the whole process: it is put back."""
    before = csv.field_size_limit(_LONGEST)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _named(separator: str) -> str:
    return _NAMED.get(separator, repr(separator))

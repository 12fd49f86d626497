"""A table that names clips for ``affuse predict``, with what is particular to each."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from affuse.corpora.schema import FEATURE_PREFIX, SIDES
from affuse.errors import AffuseError
from affuse.files.names import find
from affuse.inference.clip_files import Clip
from affuse.names import listed, quote
from affuse.tables import NumberedTable, read_table

TABLES = (".csv", ".tsv", ".parquet")  # the first two may be gzipped
_PATHS = ("path", "audio", "video")
_NUMBERS = ("start", "end", "channel", "track")  # columns that are settings of their own row
_ASIDE = ("text", "side", *_NUMBERS)  # columns that a table may have as well
_OWN_WORDS = ("channels", "tracks")  # a count of them, as tables of recordings have it


def is_table(path: Path) -> bool:
    """Whether an argument of ``predict`` is a table of clips and no clip."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else (suffixes or [""])[-1]
    return kind in TABLES and path.is_file()


def read_clips(path: Path, tell: Callable[[str], None] = lambda sentence: None) -> list[Clip]:
    """A clip per row: its file in the column path, audio or video, the first of them that is not blank.

    Obeyed as in a corpus: start and end (seconds into the file), channel and track (from 0), side (left or right), text
    (the words). A file that only the column video names is on the video's clock: video_start and video_end are its
    start and end, where they are given. Relative paths lie beside the table. ``tell`` is called with the columns that
    cannot be used; labels and other columns do not matter.

    Raises:
        AffuseError: Naming the row for a value that is none, and for a column that is nearly one of these.
    """
    numbered = read_table(path)
    names = list(numbered.table.columns)
    for column in (*_PATHS, *_ASIDE):
        numbered.check_read(column)
    paths = [name for name in _PATHS if name in names]
    for known in _ASIDE if paths else (*_PATHS, *_ASIDE):
        if known not in names and (close := next((name for name in names if _misspelt(name, known)), None)):
            raise AffuseError(f"{path} has a column {quote(close)}: did you mean {known!r}? Rename it.")
    if not paths:
        raise AffuseError(f"{path} has none of the columns {', '.join(_PATHS)}, so it names no clip.")
    for name in paths:
        numbered.check_paths(name)
    for note in numbered.notes:
        tell(f"{path}: {note}.")
    _tell_unused(numbered, paths, tell)
    clips, blank = [], []
    for row in numbered.table.index:
        column = next((name for name in paths if pd.notna(numbered.table[name][row])), None)
        if column is None:
            blank.append(numbered.row(row))
            continue
        file = find(path.parent / str(numbered.written[column][row]))
        words = numbered.table["text"][row] if "text" in names else None
        clips.append(
            Clip(
                file,
                Path(file.name),
                None if pd.isna(words) else str(words),
                tuple(_settings(numbered, row, column).items()),
            )
        )
    if not clips:
        raise AffuseError(f"{path} names no clip: its column {' and '.join(paths)} is empty.")
    if blank:
        rows = f"row{'s' if len(blank) > 1 else ''} {listed(blank, 5)}"
        tell(f"{path}, {rows}: no {' or '.join(paths)} is given; left out.")
    return clips


def _settings(numbered: NumberedTable, row: int, column: str) -> dict[str, object]:
    """What a row says of how its clip is to be read."""
    found: dict[str, object] = {}
    for name in _NUMBERS:
        seconds = name in ("start", "end")
        own = seconds and column == "video" and _has(numbered, row, "video_start", "video_end")
        of = f"video_{name}" if own else name
        if not _has(numbered, row, of):
            continue
        text = str(numbered.table[of][row])
        try:
            value = float(text) if seconds else int(text.removesuffix(".0"))
            if not math.isfinite(value) or "_" in text or (not seconds and value < 0):
                raise ValueError
        except ValueError:
            hint = "; write the decimals with a point" if "," in text else ""
            what = "a number of seconds" if seconds else f"a {name}; they are whole numbers from 0"
            raise numbered.error(row, of, f"{quote(text)} is not {what}{hint}") from None
        found[name] = value
    if _has(numbered, row, "side"):
        side = str(numbered.table["side"][row]).lower()
        if side not in SIDES:
            raise numbered.error(row, "side", f"{quote(side)} is neither left nor right")
        found["side"] = side
    return found


def _has(numbered: NumberedTable, row: int, *columns: str) -> bool:
    """Whether one of the columns is there and not blank in the row."""
    return any(name in numbered.table.columns and pd.notna(numbered.table[name][row]) for name in columns)


def _tell_unused(numbered: NumberedTable, paths: list[str], tell: Callable[[str], None]) -> None:
    """Columns that mean something in a corpus and nothing here."""
    table = numbered.table
    first, others = paths[0], paths[1:]
    for name in others:
        both = table[first].notna() & table[name].notna()
        if (table[first][both] != table[name][both]).any():
            tell(
                f"{numbered.path}: a clip is one file here, that of the column {first}; the column {name} is read "
                f"where {first} is blank."
            )
    unused = [name for name in table.columns if name.startswith(FEATURE_PREFIX)]
    if first != "video":
        unused += [
            name for name in ("video_start", "video_end") if name in table and table[name].notna().any()
        ]
    if unused:
        tell(
            f"{numbered.path}: the column{'s' if len(unused) > 1 else ''} {listed(unused, 5)} cannot be used here."
        )


def _misspelt(name: str, known: str) -> bool:
    """Blanks, capitals, two letters swapped, or one too many or too few; ``size`` is another word than ``side``."""
    name = name.strip().lower()
    if name in _OWN_WORDS:
        return False
    longer, shorter = (name, known) if len(name) > len(known) else (known, name)
    if len(longer) == len(shorter):
        swaps = (known[:i] + known[i + 1] + known[i] + known[i + 2 :] for i in range(len(known) - 1))
        return name == known or name in swaps
    return any(longer[:i] + longer[i + 1 :] == shorter for i in range(len(longer)))

"""A table that names clips for ``affuse predict``, with what is particular to each."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pandas as pd

from affuse.errors import AffuseError
from affuse.inference.clip_files import Clip
from affuse.inference.words import read_text

TABLES = (".csv", ".tsv")
_COLUMNS = ("path", "audio", "video")
_ASIDE = ("text", "side")  # columns that a table may have as well; whatever else is in it is ignored


def read_clips(path: Path) -> list[Clip]:
    """Column path, audio or video; text and side if there are. Relative paths lie beside the table."""
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        table = pd.read_csv(StringIO(read_text(path)), sep=separator, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise AffuseError(f"{path} is no table that can be read ({str(error).splitlines()[0]}).") from None
    column = next((name for name in _COLUMNS if name in table.columns), None)
    names = [str(name) for name in table.columns]
    for known in _ASIDE if column is not None else (*_COLUMNS, *_ASIDE):
        if known not in names and (close := next((name for name in names if _misspelt(name, known)), None)):
            raise AffuseError(f"{path} has a column {close!r}: did you mean {known!r}? Rename it.")
    if column is None:
        raise AffuseError(f"{path} has none of the columns {', '.join(_COLUMNS)}, so it names no clip.")
    clips = []
    for i, (_, row) in enumerate(table.iterrows()):
        if not str(row[column]).strip():
            continue
        file = Path(str(row[column]))
        side = str(row.get("side", "")).strip() or None
        if side not in (None, "left", "right"):
            raise AffuseError(f"{path}, row {i + 1}: side takes left or right, not {side!r}.")
        clips.append(
            Clip(path.parent / file, Path(file.name), str(row.get("text", "")).strip() or None, side)
        )
    if not clips:
        raise AffuseError(f"{path} names no clip: its column {column} is empty.")
    return clips


def _misspelt(name: str, known: str) -> bool:
    """Blanks, capitals, two letters swapped, or one too many or too few; ``size`` is another word than ``side``."""
    name = name.strip().lower()
    longer, shorter = (name, known) if len(name) > len(known) else (known, name)
    if len(longer) == len(shorter):
        swaps = (known[:i] + known[i + 1] + known[i] + known[i + 2 :] for i in range(len(known) - 1))
        return name == known or name in swaps
    return any(longer[:i] + longer[i + 1 :] == shorter for i in range(len(longer)))

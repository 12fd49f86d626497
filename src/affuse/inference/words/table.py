"""Words in a table of the user's: a column text, and start and end where there are."""

from __future__ import annotations

import re
from pathlib import Path

from affuse.errors import AffuseError
from affuse.inference.words.cues import Cue, Times, Transcript
from affuse.tables import NumberedTable, read_table

# columns of times by other names: without them words would be spread over the whole clip
_TIMES = frozenset(
    {
        "begin", "onset", "offset", "from", "to", "stop", "time", "times", "timestamp", "timestamps", "tmin", "tmax",
        "xmin", "xmax", "duration", "dur", "begin time", "start time", "end time", "starttime", "endtime", "start ms",
        "end ms", "start s", "end s", "start sec", "end sec", "time start", "time end", "in", "out",
    }
)  # fmt: skip
_CLIPS = ("path", "audio", "video", "file", "filename", "clip", "wav")


def read_table_words(path: Path) -> Transcript:
    """The words of a table, with their times where it has any.

    Raises:
        AffuseError: There is no column text, or the words of several clips, or times that are none.
    """
    numbered = read_table(path)
    table = numbered.table
    names = _names(list(table.columns))
    if "text" not in names:
        raise AffuseError(
            f"{path} has no column text (it has {', '.join(map(str, table.columns)) or 'none'}); rename the column of "
            "the words."
        )
    _check_one_clip(numbered, names)
    said = table[names["text"]].map(lambda cell: " ".join(cell.split()), na_action="ignore").dropna()
    if said.empty:
        raise AffuseError(f"{path} has no words in its column text.")
    if not _timed(path, names):  # one text, spread over the whole of the speech
        return Transcript([Cue(None, None, " ".join(said))], path)
    rows = [(str(numbered.row(i)), *table.loc[i, [names["start"], names["end"]]]) for i in said.index]
    cues = [
        _cue(f"{path}, row {row}", start, end, words)
        for (row, start, end), words in zip(rows, said, strict=True)
    ]
    whole = all(float(str(time)).is_integer() for _, *times in rows for time in times)
    return Transcript(cues, path, whole=whole, bare=True)


def _names(columns: list[str]) -> dict[str, str]:
    """Lower-case name -> the column's own."""
    names: dict[str, str] = {}
    for column in columns:
        names.setdefault(" ".join(re.sub(r"[_()]", " ", column.lower()).split()), column)
    return names | {name: name for name in ("start", "end", "text") if name in columns}


def _timed(path: Path, names: dict[str, str]) -> bool:
    there = [name for name in ("start", "end") if name in names]
    if len(there) == 2:
        return True
    others = [names[name] for name in names if name in _TIMES]
    if there or others:
        columns = ", ".join([names[name] for name in there] + others)
        raise AffuseError(
            f"{path} has times in {columns} and no columns start and end; rename the two to start and end, in seconds."
        )
    return False


def _cue(where: str, start: object, end: object, said: str) -> Cue:
    if not isinstance(start, str) or not isinstance(end, str):
        raise AffuseError(f"{where} has words and no times; give it start and end in seconds.")
    return Cue(*Times.of(where, start, end), said)


def _check_one_clip(numbered: NumberedTable, names: dict[str, str]) -> None:
    for name in _CLIPS:
        if name in names and (count := numbered.table[names[name]].nunique()) > 1:
            raise AffuseError(
                f"{numbered.path} has the words of {count} clips by its column {names[name]}; name the table "
                "itself in place of the clips, or give a file for each clip."
            )

"""Which clips the arguments of ``affuse predict`` name: files, folders, patterns and tables."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from affuse.errors import AffuseError
from affuse.inference.batch import Job
from affuse.inference.settings import Settings
from affuse.inference.words import read_text

# What a folder is searched for; a file that is named is tried whatever it is called.
MEDIA = frozenset(
    {
        ".3gp", ".aac", ".aif", ".aiff", ".amr", ".au", ".avi", ".flac", ".flv", ".m4a", ".m4v", ".mka", ".mkv", ".mov",
        ".mp2", ".mp3", ".mp4", ".mpeg", ".mpg", ".mts", ".oga", ".ogg", ".ogv", ".opus", ".ts", ".wav", ".webm",
        ".wma", ".wmv",
    }
)  # fmt: skip
TEXTS = (".txt", ".srt", ".vtt")
TABLES = (".csv", ".tsv")
_COLUMNS = ("path", "audio", "video")
_ASIDE = ("text", "side")  # columns that a table may have as well; whatever else is in it is ignored


class _Clip(NamedTuple):
    path: Path
    inside: Path  # below the folder that was named: what its outputs are called
    words: str | None = None
    side: str | None = None


def find_jobs(sources: Sequence[str], settings: Settings) -> list[Job]:
    """One job per clip, in order, each clip once. ``settings.text`` may be a folder with a text file per clip.

    Raises AffuseError for a source that is not there, or that names no clip.
    """
    clips: dict[tuple[Path, str | None, str | None], _Clip] = {}
    for source in sources:
        for clip in _clips(source):
            clips.setdefault((clip.path, clip.words, clip.side), clip)
    names: set[str] = set()
    found = []
    for clip in clips.values():
        found.append(Job(clip.path, _name(clip.inside, names), _settings_of(clip, settings)))
    return found


def _clips(source: str) -> list[_Clip]:
    path = Path(source)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in MEDIA and p.is_file())
        if not files:
            raise AffuseError(f"{path} has no audio or video file in it (by their endings); name the files.")
        return [_Clip(file, file.relative_to(path)) for file in files]
    if path.suffix.lower() in TABLES and path.is_file():
        return _table(path)
    if not path.exists() and glob.has_magic(source):
        files = sorted(Path(p) for p in glob.glob(source, recursive=True) if Path(p).is_file())
        if not files:
            raise AffuseError(f"No file fits the pattern {source}.")
        return [_Clip(file, Path(file.name)) for file in files]
    return [_Clip(path, Path(path.name))]


def _table(path: Path) -> list[_Clip]:
    """Column path, audio or video; text and side if there are. Relative paths lie beside the table."""
    from io import StringIO

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
            _Clip(path.parent / file, Path(file.name), str(row.get("text", "")).strip() or None, side)
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


def _settings_of(clip: _Clip, settings: Settings) -> Settings:
    changes: dict[str, object] = {}
    if settings.text is not None and settings.text.is_dir():
        beside = (settings.text / clip.inside).with_suffix("")
        file = next((p for s in TEXTS if (p := beside.with_name(beside.name + s)).is_file()), None)
        changes["text"] = file
    if clip.words is not None:
        if settings.text is not None or settings.asr is not None:
            raise AffuseError("The table has a column text already; leave --text and --asr out.")
        changes["words"] = clip.words
    if clip.side is not None:
        changes["side"] = clip.side
    return Settings.of(settings.model_dump() | changes) if changes else settings


def _name(inside: Path, taken: set[str]) -> str:
    """a/b.mp4 -> a/b; a/b.mp4 where a/b is taken; a/b.mp4-2 and so on after that."""
    plain = str(inside.with_suffix("")) if inside.stem else str(inside)
    candidates = [plain, str(inside)]
    name = next((one for one in candidates if one not in taken), "")
    count = 2
    while not name:
        if f"{inside}-{count}" not in taken:
            name = f"{inside}-{count}"
        count += 1
    taken.add(name)
    return name

"""Which files the arguments of ``affuse predict`` name: files, folders and patterns."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import NamedTuple

from affuse.errors import AffuseError

# What a folder is searched for; a file that is named is tried whatever it is called.
MEDIA = frozenset(
    {
        ".3gp", ".aac", ".aif", ".aiff", ".amr", ".au", ".avi", ".flac", ".flv", ".m4a", ".m4v", ".mka", ".mkv", ".mov",
        ".mp2", ".mp3", ".mp4", ".mpeg", ".mpg", ".mts", ".oga", ".ogg", ".ogv", ".opus", ".ts", ".wav", ".webm",
        ".wma", ".wmv",
    }
)  # fmt: skip


class Clip(NamedTuple):
    """What an argument names; ``words`` and ``settings`` (setting -> value) where a table says so."""

    path: Path
    inside: Path  # below the folder that was named: what its outputs are called
    words: str | None = None
    settings: tuple[tuple[str, object], ...] = ()

    @property
    def span(self) -> str:
        """'_12.5-15' for a clip that is the part of a file, else ''; its outputs are told apart by it."""
        times = dict(self.settings)
        if not {"start", "end"} & set(times):
            return ""
        end = times.get("end")
        return f"_{times.get('start', 0.0):g}-{'end' if end is None else format(end, 'g')}"


def find_clips(source: str) -> list[Clip]:
    """The files below a folder, those that fit a pattern, or the file itself; a file need not exist.

    Raises AffuseError for a folder or a pattern that names no file.
    """
    path = Path(source)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in MEDIA and p.is_file())
        if not files:
            raise AffuseError(f"{path} has no audio or video file in it (by their endings); name the files.")
        return [Clip(file, file.relative_to(path)) for file in files]
    if not path.exists() and glob.has_magic(source):
        files = sorted(Path(p) for p in glob.glob(source, recursive=True) if Path(p).is_file())
        if not files:
            raise AffuseError(f"No file fits the pattern {source}.")
        return [Clip(file, Path(file.name)) for file in files]
    return [Clip(path, Path(path.name))]

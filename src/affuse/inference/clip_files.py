"""Which files the arguments of ``affuse predict`` name: files, folders and patterns."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import NamedTuple

from affuse.errors import AffuseError
from affuse.files import names as file_names
from affuse.files.search import is_junk, media_files

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

    A folder's files that are links to one file are one clip; a link to a file that is not there is a clip, whose
    reading says so.

    Raises:
        AffuseError: For a folder or a pattern that names no file.
    """
    path = file_names.find(source)
    if path.is_dir():
        inside = _once(path, sorted(media_files(path, MEDIA, broken=True)))
        if not inside:
            raise AffuseError(f"{path} has no audio or video file in it (by their endings); name the files.")
        return [Clip(path / one, one) for one in inside]
    if not path.exists() and glob.has_magic(source):
        named = {part for part in path.parts if is_junk(part)}
        files = [Path(found) for found in sorted(glob.glob(source, recursive=True))]
        files = [one for one in files if one.is_file() and not any(is_junk(p) for p in {*one.parts} - named)]
        if not files:
            raise AffuseError(f"No file fits the pattern {source}.")
        return [Clip(file, Path(file.name)) for file in _once(Path(), files)]
    return [Clip(path, Path(path.name))]


def _once(folder: Path, files: list[Path]) -> list[Path]:
    """Each real file once, by its own name where it is below the folder itself."""
    real: dict[Path, Path] = {}
    for file in sorted(files, key=lambda one: (folder / one).is_symlink()):
        real.setdefault((folder / file).resolve(), file)
    return sorted(real.values())

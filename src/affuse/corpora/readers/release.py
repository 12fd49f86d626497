"""What the readers of releases share: finding media files by name, and sentences on what was left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import pandas as pd

from affuse.errors import AffuseError
from affuse.files import search
from affuse.names import counted, listed
from affuse.tables import read_table

AUDIO = (".wav", ".flac")
VIDEO = (".mp4",)
_POINTER, _POINTER_BYTES = b"version https://git-lfs.github.com/spec/", 1024  # the specification's most


def check_folder(source: str | Path, release: str) -> Path:
    """Make ``source`` an absolute path; AffuseError unless it is a folder."""
    source = Path(source)
    if not source.exists():
        raise AffuseError(f"{source} does not exist; give the folder that holds the {release} release.")
    if not source.is_dir():
        raise AffuseError(f"{source} is a file; give the folder that holds the {release} release.")
    return source.resolve()


def media_files(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Find media files, shallowest first, then by path, relative to ``folder``; see ``files.search.media_files``."""
    found = search.media_files(folder, suffixes)
    return sorted(found, key=lambda path: (len(path.parts), path.as_posix()))


def first_of_each(paths: Iterable[Path], key: Callable[[Path], str]) -> tuple[list[Path], list[Path]]:
    """Keep the first path of every key; also returns the duplicates that were left out."""
    seen: set[str] = set()
    kept, left = [], []
    for path in paths:
        name = key(path)
        (left if name in seen else kept).append(path)
        seen.add(name)
    return kept, left


def split_by_name(paths: Iterable[Path], pattern: re.Pattern[str]) -> tuple[list[Path], list[Path]]:
    """Divide paths into those whose stem is of the pattern, and the others."""
    parsed, odd = [], []
    for path in paths:
        (parsed if pattern.fullmatch(path.stem) else odd).append(path)
    return parsed, odd


def without_pointers(folder: Path, paths: Sequence[Path], release: str) -> tuple[list[Path], list[Path]]:
    """Divide media into those that are there and those of which a checkout without Git LFS left a pointer.

    Raises:
        AffuseError: All are pointers.
    """
    pointers = {path for path in paths if _is_pointer(folder / path)}
    media = [path for path in paths if path not in pointers]
    if not media:
        raise AffuseError(
            f"{folder}: the {counted(len(paths), 'media file')} of {release} are pointers of Git LFS, not media (the "
            f"first is {paths[0]}); install Git LFS, run 'git lfs pull' there, and prepare again."
        )
    return media, [path for path in paths if path in pointers]


def _is_pointer(path: Path) -> bool:
    """A text of some 130 bytes; one that cannot be read is for ``affuse validate`` to tell."""
    try:
        if path.stat().st_size > _POINTER_BYTES:
            return False
        with open(path, "rb") as stream:
            return stream.read(len(_POINTER)) == _POINTER
    except OSError:
        return False


def note_of(paths: Sequence[Path | str], what: str) -> list[str]:
    """Write one note that names the first few of the paths, or none: '3 files left out, <what>: a.wav, ...'."""
    if not paths:
        return []
    shown = ", ".join(str(path) for path in paths[:5])
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return [f"{counted(len(paths), 'file')} left out, {what}: {shown}{more}"]


def note_of_counts(table: pd.DataFrame, published: dict[str, int], what: str) -> list[str]:
    """Write one note where the number of utterances per emotion differs from the published one, or none."""
    counts = table["emotion"].value_counts()
    odd = [
        f"{label} {counts.get(label, 0)} of {number}"
        for label, number in published.items()
        if counts.get(label, 0) != number
    ]
    return [f"not the whole of {what}: {', '.join(odd)}"] if odd else []


def read_listing(path: Path, required: Sequence[str]) -> pd.DataFrame:
    """Read a CSV that lists a release: every cell a string, empty where blank; ``file`` as it is written.

    Raises:
        AffuseError: Columns are missing; the sentence names the file and them.
    """
    numbered = read_table(path)
    table = numbered.table.fillna("")
    if "file" in table.columns:
        table["file"] = numbered.written["file"].fillna("")
    table = table.astype(object).reset_index(drop=True)
    missing = [name for name in required if name not in table.columns]
    if missing:
        raise AffuseError(
            f"{path} has no column {', '.join(map(repr, missing))}; it has {listed(table.columns)}. "
            "Remove the file to read the media files' own names instead."
        )
    return table

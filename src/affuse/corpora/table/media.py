"""The sound and video files that a user's table names: found whatever their names' form, or all of them missing."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from affuse.corpora.schema import PATH_COLUMNS
from affuse.errors import AffuseError, argument
from affuse.files.names import find, written
from affuse.names import counted


def find_media(table: pd.DataFrame, root: Path) -> list[str]:
    """Make paths those of the files on disk, in ``table`` itself; sentences say how many were written otherwise.

    A name in another Unicode form is the same name, and ``clips\\a.wav``, as Windows writes it, is ``clips/a.wav``.
    """
    notes: list[str] = []
    for name in PATH_COLUMNS:
        if name not in table.columns:
            continue
        slashed = table[name].map(lambda path: _with_slashes(root, path), na_action="ignore").astype("string")
        found = slashed.map(
            lambda path: path if path.isascii() or (root / path).exists() else _beside(root, path), na_action="ignore"
        ).astype("string")  # fmt: skip
        if turned := int((slashed.notna() & (slashed != table[name])).sum()):
            notes.append(f"{counted(turned, f'{name} path')} with backslashes: read with slashes")
        if changed := int((found.notna() & (found != slashed)).sum()):
            notes.append(
                f"{counted(changed, f'{name} file')} of another Unicode form on disk: taken all the same"
            )
        table[name] = found
    return notes


def _with_slashes(root: Path, path: str) -> str:
    if "\\" not in path or find(root / path).exists():
        return path
    slashed = path.replace("\\", "/")
    return slashed if find(root / slashed).exists() else path


def _beside(root: Path, path: str) -> str:
    found = find(root / path)
    return written(Path(os.path.relpath(found, root)).as_posix()) if found != root / path else path


def check_media_root(table: pd.DataFrame, root: Path, source: Path) -> None:
    """Raise AffuseError where every file is missing: one is a finding of validate, all of them a wrong media_root."""
    paths = [path for name in PATH_COLUMNS if name in table.columns for path in table[name].dropna()]
    if paths and not any(find(root / path).exists() for path in paths):
        raise AffuseError(
            f"{source}: none of its {counted(len(paths), 'audio and video file')} exists (the first was looked for at "
            f"{root / paths[0]}); name the folder that the paths start from: {argument('media_root', 'FOLDER')}."
        )

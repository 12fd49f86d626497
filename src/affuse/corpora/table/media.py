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
    r"""Make paths those of the files on disk, in ``table`` itself; sentences say how many were written otherwise.

    A name in another Unicode form is the same name, and ``clips\a.wav``, as Windows writes it, is ``clips/a.wav``.
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
    slashed = path.replace("\\", "/")
    if os.sep == "\\" or slashed == path:  # a backslash is no part of a name on Windows
        return slashed
    return slashed if not find(root / path).exists() and find(root / slashed).exists() else path


def _beside(root: Path, path: str) -> str:
    found = find(root / path)
    if found == root / path:
        return path
    # another drive of Windows has no path from here
    return written((found if Path(path).is_absolute() else Path(os.path.relpath(found, root))).as_posix())


def check_media_root(table: pd.DataFrame, root: Path, source: Path) -> None:
    """Raise AffuseError where every file is missing: one is a finding of validate, all of them a wrong media_root."""
    paths = [path for name in PATH_COLUMNS if name in table.columns for path in table[name].dropna()]
    if paths and not any(find(root / path).exists() for path in paths):
        raise AffuseError(
            f"{source}: none of its audio and video files exists (the first of {len(paths)} was looked for at "
            f"{root / paths[0]}); name the folder that the paths start from: {argument('media_root', 'FOLDER')}."
        )

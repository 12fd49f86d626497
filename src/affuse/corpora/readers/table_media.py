"""The sound and video files that a user's table names: found whatever their names' form, or all of them missing."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from affuse.corpora.schema import PATH_COLUMNS
from affuse.errors import AffuseError
from affuse.files.names import find, written
from affuse.names import counted


def find_media(table: pd.DataFrame, root: Path) -> list[str]:
    """Paths of files whose names are of another Unicode form on disk are made theirs; a note says how many."""
    notes = []
    for name in PATH_COLUMNS:
        if name not in table.columns:
            continue
        found = table[name].map(
            lambda path: path if path.isascii() or (root / path).exists() else _beside(root, path), na_action="ignore"
        ).astype("string")  # fmt: skip
        changed = int((found.notna() & (found != table[name])).sum())
        if changed:
            notes.append(
                f"{counted(changed, f'{name} file')} of another Unicode form on disk: taken all the same"
            )
        table[name] = found
    return notes


def _beside(root: Path, path: str) -> str:
    found = find(root / path)
    return written(Path(os.path.relpath(found, root)).as_posix()) if found != root / path else path


def check_media_root(table: pd.DataFrame, root: Path, source: Path) -> None:
    """One missing file is a finding of validate; all of them missing is a wrong media_root."""
    paths = [path for name in ("audio", "video") if name in table.columns for path in table[name].dropna()]
    if paths and not any(find(root / path).exists() for path in paths):
        raise AffuseError(
            f"{source}: none of its {len(paths)} audio and video files exists (the first was looked for at "
            f"{root / paths[0]}); set media_root in the options file to the folder the paths start from."
        )

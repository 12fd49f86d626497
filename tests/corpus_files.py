"""Small made-up releases, and the way to the real ones, for the tests of the corpus readers."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from audio_files import sine, write_sound

RATE = 8000


def write_tone(path: Path, seconds: float = 0.1, channels: int = 1) -> Path:
    """A sine, in wav or flac by the path's suffix; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = sine(seconds, RATE)
    if channels > 1:
        tone = tone[:, None].repeat(channels, axis=1)
    return write_sound(path, tone, RATE)


def write_rows(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def real(name: str) -> Path:
    """``../shared/data/<name>`` beside the repository; skips the test where it is absent."""
    root = Path(__file__).resolve().parents[1]
    for base in (root.parent, root.parent.parent):  # a git worktree lies one folder deeper
        folder = base / "shared" / "data" / name
        if folder.is_dir():
            return folder
    pytest.skip(f"../shared/data/{name} is not here")

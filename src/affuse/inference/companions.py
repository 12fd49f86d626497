"""The file of words that belongs to a clip, in a folder of such files."""

from __future__ import annotations

from pathlib import Path

TEXTS = (".txt", ".srt", ".vtt")


def find_words(folder: Path, inside: Path) -> Path | None:
    """The file of the clip's name, by the first of ``TEXTS`` that is there. ``inside``: the clip below its folder."""
    beside = (folder / inside).with_suffix("")
    return next((p for suffix in TEXTS if (p := beside.with_name(beside.name + suffix)).is_file()), None)

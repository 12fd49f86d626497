"""How long an utterance is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from affuse.errors import ClipError

if TYPE_CHECKING:
    from affuse.corpora.corpus import Utterance


def seconds_of(utterance: Utterance, kind: Literal["audio", "video"]) -> float | None:
    """Measure an utterance's sound, or the sound of its video: by the row's times, else by the file's headers.

    Returns:
        Seconds; not above 0 where the row's start is not in the file. None without such a file, and where neither
        times nor headers say.
    """
    path = getattr(utterance, kind)
    if not isinstance(path, Path):  # none, or sound that was decoded already
        return None
    start, end = utterance.span(kind)
    if end is None:
        from affuse.media.audio import probe_audio  # decoders are slow to import, and only needed here

        try:
            end = probe_audio(path, utterance.track).seconds
        except ClipError:
            return None  # reading it will say why
    return None if end is None else end - (start or 0.0)

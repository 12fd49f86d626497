"""Which clips' sound is read by a newer rule than features in a cache may have been made by."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from affuse.errors import ClipError

# Change it when the samples of such files change.
_RULE = "one rate, FFmpeg's mix, whole chains, floats in their units, seeks, restarts"


def sound_rule(path: object) -> list[str]:
    """What a cache key says of the rule that a file's sound is read by.

    Nothing for one or two channels that soundfile reads as they are (wav, flac, aiff): their samples are what they
    always were. Whether an mp3 changes its rate, only decoding it would tell.
    """
    if not isinstance(path, Path):
        return []
    try:
        status = path.stat()
        return [] if _is_plain(path, status.st_size, status.st_mtime_ns) else [_RULE]
    except OSError:
        return []  # reading it will say why


@lru_cache(maxsize=100_000)
def _is_plain(path: Path, size: int, changed: int) -> bool:
    """Size and date are for the memory of it."""
    from affuse.media.recording import file_scale  # decoders are slow to import, and only needed here
    from affuse.media.sound_file import open_sound

    if not path.is_file():
        return True
    sound = open_sound(path)
    if sound is None:
        return False
    plain, floats = sound.is_plain, sound.is_float
    sound.close()
    if not floats:
        return plain
    try:
        return plain and file_scale(path)[0] == 1
    except ClipError:
        return False

"""One clock for the sound and the pictures of a film: seconds since its container's clock begins, as players count.

FFmpeg and mpv call the earliest start of any track 0 (``start_time``: 1.4 s in many an MPEG-TS). What edit lists and
codec delays hide or move is in the times of the decoded frames already; a stream's header may know less (avi's). A
file of sound alone counts from its first sample instead.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# One picture at 25 a second, and less than the 45 ms by which viewers notice early sound (ITU-R BT.1359): codec delays
# and rounded clocks leave as much in films whose tracks begin together.
UNNOTICED = Fraction(40, 1000)
BROKEN = 3600  # seconds between two tracks, or of a jump within one: no time passed, the clock is wrong
_RULE = "one clock"
_SOUND_ALONE = frozenset({".wav", ".flac", ".aif", ".aiff", ".mp3", ".aac", ".opus", ".m4a", ".wma"})


def clock_start(container: InputContainer) -> Fraction:
    """Seconds on the container's own clock that players call 0."""
    return Fraction(container.start_time or 0, 1_000_000)  # av.time_base


def clock_end(container: InputContainer) -> float | None:
    """Seconds to the end of the longest track, as the headers say; None where they do not."""
    if container.duration is None:
        return None
    end = Fraction(container.duration, 1_000_000)
    if "matroska" in container.format.name:  # FFmpeg writes the last time there, not the time that passes
        end -= clock_start(container)
    return float(end)


def lead_of(begins: Fraction, start: Fraction) -> Fraction:
    """Seconds from the clock's start to ``begins``, both on the container's clock; 0 where nobody would notice."""
    lead = begins - start
    return Fraction(0) if abs(lead) < UNNOTICED or abs(lead) > BROKEN else lead


def not_begun(last: float, begin: float | None) -> bool:
    """Whether a clip whose last frame is at ``last`` lies before the first picture, which is shown at ``begin``."""
    return begin is not None and begin - last > UNNOTICED


def picture_tracks(container: InputContainer) -> list[VideoStream]:
    """A cover is no picture track."""
    from av.stream import Disposition

    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def clock_rule(path: object) -> list[str]:
    """What a cache key says of the clock that a file is read by; nothing of files that hold sound alone.

    Change ``_RULE`` when the times of sound or pictures change their meaning.
    """
    return [_RULE] if isinstance(path, Path) and path.suffix.lower() not in _SOUND_ALONE else []

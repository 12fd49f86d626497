"""One clock for the sound and the pictures of a film: seconds since its container's clock begins, as players count.

FFmpeg and mpv call the earliest start of any track 0 (``start_time``: 1.4 s in many an MPEG-TS). What edit lists and
codec delays hide or move is in the times of the decoded frames already; a stream's header may know less (avi's). A
file of sound alone counts from its first sample instead.
"""

# pyright: reportUnnecessaryComparison=false
# PyAV's types do not know that codecs and times may be missing.

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.media.container import open_container, path_of
from affuse.media.restarts import joined_seconds

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

# One picture at 25 a second, and less than the 45 ms by which viewers notice early sound (ITU-R BT.1359): codec delays
# and rounded clocks leave as much in films whose tracks begin together.
UNNOTICED = Fraction(40, 1000)
BROKEN = 3600  # seconds between two tracks, or of a jump within one: no time passed, the clock is wrong
_RULE = "one clock, lost packets and restarts too"


def clock_start(container: InputContainer) -> Fraction:
    """Seconds on the container's own clock that players call 0."""
    return Fraction(container.start_time or 0, 1_000_000)  # av.time_base


def clock_end(container: InputContainer) -> float | None:
    """Seconds to the end of the longest track, as the headers say; None where they do not, or cannot be believed.

    Of films joined byte by byte, whose headers tell the last one's length, that of all.
    """
    if container.duration is None:
        return None
    end = Fraction(container.duration, 1_000_000)
    if "matroska" in container.format.name:  # FFmpeg writes the last time there, not the time that passes
        end -= clock_start(container)
    if jumps(path_of(container), end):
        return None
    joined = joined_seconds(container)
    return float(end) if joined is None else joined


def jumps(path: str | Path, seconds: float | Fraction, sound: int | None = None) -> bool:
    """Whether ``seconds``, a file's length by its headers, hold a jump that makes its clock a broken one.

    Headers tell the last time of a file, not what passed until then. Half an hour is the longest step from which no
    such jump can hide, so files below an hour cost nothing, and longer ones two seeks an hour.
    sound: of this audio track, from 0; None: of the first one and all pictures together
    """
    if seconds <= BROKEN:
        return False
    import av  # slow to import

    with open_container(path) as container:
        audio, video = container.streams.audio, container.streams.video
        tracks = [*audio[:1], *video] if sound is None else [*audio[sound : sound + 1]]
        start = clock_start(container)
        begins = [t.start_time * t.time_base for t in tracks if t.start_time and t.time_base is not None]
        if any(begin - start > BROKEN for begin in begins):
            return True
        for moment in range(BROKEN // 2, int(seconds), BROKEN // 2):
            try:
                if sound is not None and tracks[0].time_base is not None:
                    container.seek(int((moment + start) / tracks[0].time_base), stream=tracks[0])
                else:
                    container.seek(int((moment + start) * av.time_base))
                if _passed_over(container.demux(tracks), moment + start) > BROKEN:
                    return True
            except av.FFmpegError:  # no index, or damage
                return False
    return False


def _passed_over(packets: Iterator[Packet], moment: Fraction) -> Fraction:
    """Seconds between the last packet before ``moment``, of any track, and the first from there on."""
    last: Fraction | None = None
    for packet in packets:
        if packet.pts is None or packet.time_base is None:
            continue
        time = packet.pts * packet.time_base
        if time >= moment:
            return Fraction(0) if last is None else time - last
        last = time if last is None else max(last, time)
    return Fraction(0)


def lead_of(begins: Fraction, start: Fraction) -> Fraction:
    """Seconds from the clock's start to ``begins``, both on the container's clock; 0 where nobody would notice."""
    lead = begins - start
    return Fraction(0) if abs(lead) < UNNOTICED or abs(lead) > BROKEN else lead


def not_begun(last: float, begin: float | None) -> bool:
    """Whether a clip whose last frame is at ``last`` lies before the first picture, which is shown at ``begin``."""
    return begin is not None and begin - last > UNNOTICED


def picture_tracks(container: InputContainer) -> list[VideoStream]:
    """Every reader's picture tracks, the first one being the one to read.

    A cover, a chapter's thumbnails and a still picture are none.
    """
    from av.stream import Disposition

    if container.format.name == "image2" or container.format.name.endswith("_pipe"):
        return []
    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def clock_rule(path: object) -> list[str]:
    """What a cache key says of the clock that a file is read by; nothing of files that hold sound alone.

    Change ``_RULE`` when the times of sound or pictures in films change their meaning.
    """
    if not isinstance(path, Path):
        return []
    try:
        status = path.stat()
        return [_RULE] if _is_film(path, status.st_size, status.st_mtime_ns) else []
    except OSError:
        return []  # reading it will say why


@lru_cache(maxsize=100_000)
def _is_film(path: Path, size: int, changed: int) -> bool:
    """By content, as reading decides: anything may be called .m4a or .ogg. Size and date are for the memory of it."""
    with path.open("rb") as file:
        head = file.read(12)
    # Most corpora are wav and flac: 6 us here, where FFmpeg takes 2 ms to open a wav (an mp4: 0.3 ms).
    if head.startswith((b"fLaC", b"FORM")) or head[8:] == b"WAVE":
        return False
    import av  # slow to import

    try:
        with open_container(path) as container:
            return bool(picture_tracks(container))
    except (av.FFmpegError, ValueError):
        return False

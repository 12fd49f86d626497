"""Checking the sound and picture that a corpus row points at."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, NamedTuple

import av

from affuse.errors import ClipError
from affuse.failures import cause_of
from affuse.media.audio import probe_audio, read_waveform
from affuse.media.clock import clock_end, clock_start
from affuse.media.container import open_container
from affuse.media.picture_track import PictureTrack, picture_notes, picture_stream
from affuse.media.recording import Recording, no_channel
from affuse.media.remarks import remarks

# Times are often rounded, and a container's duration is one of several streams': less than this is no finding
TOLERANCE_SECONDS = 0.1


class Span(NamedTuple):
    """What one row takes of a file; ``row`` is its position in the table."""

    row: int
    start: float | None  # seconds
    end: float | None  # seconds
    channel: int | None = None
    clock: str = ""  # "video_" where start and end are the video's own
    track: int | None = None  # of the sound


Severity = Literal["error", "warning"]


class Fault(NamedTuple):
    """An error where training leaves the row out, a warning where it says the same and uses it."""

    row: int
    field: str
    message: str
    severity: Severity = "error"


def check_file(kind: str, path: Path, spans: Sequence[Span], decode: bool) -> list[Fault]:
    """Check a file's sound (``kind`` "audio") or picture; whatever goes wrong is a fault of the file's rows."""
    try:
        return (check_sound if kind == "audio" else check_picture)(path, spans, decode)
    except Exception as error:
        message = cause_of(error, path).rstrip(".")
        return [Fault(span.row, kind, message) for span in spans]


def check_sound(path: Path, spans: Sequence[Span], decode: bool) -> list[Fault]:
    """Find the faults of one file's sound in every row that takes some of it, in the words of training.

    Args:
        path: The file.
        spans: What the rows take of it.
        decode: Read the samples too, which finds damage behind the header, NaN and silence.
    """
    return [fault for span in spans for fault in _check_span(path, span, decode)]


def _check_span(path: Path, span: Span, decode: bool) -> list[Fault]:
    with remarks() as said:
        try:
            info = probe_audio(path, span.track)
        except ClipError as error:
            return [Fault(span.row, "track" if span.track else "audio", _clause(error))]
        if span.channel is not None and span.channel >= info.channels:
            message = no_channel(path, info.channels, span.channel).rstrip(".")
            return [Fault(span.row, "channel", message)]
        outside = _out_of_range(span, info.seconds, path)
        if outside is not None and (not decode or not _reaches(path, span)):
            return [outside]
        if decode:
            try:  # at the file's own rate: nothing is resampled
                read_waveform(path, info.rate, span.start, span.end, span.channel, span.track)
            except ClipError as error:
                return [Fault(span.row, "audio", _clause(error))]
    return [Fault(span.row, "audio", sentence.rstrip("."), "warning") for sentence in said]


def _reaches(path: Path, span: Span) -> bool:
    """Whether there is sound where the row ends, whatever the headers say: those of joined files may say less."""
    moment = max(span.start or 0.0, 0.0 if span.end is None else span.end - TOLERANCE_SECONDS)
    with Recording(path, span.channel, span.track) as recording:
        return next(recording.blocks(round(moment * recording.rate)), None) is not None


def check_picture(path: Path, spans: Sequence[Span], decode: bool) -> list[Fault]:
    """Find the faults of one file's picture in every row that takes some of it.

    Args:
        path: The file.
        spans: What the rows take of it.
        decode: Decode a frame at each row's start (a whole video would take many times longer than its sound).
    """
    try:
        if not path.is_file():
            raise ClipError(f"{path} does not exist; correct the path or the corpus's media_root.")
        with open_container(path) as container:
            stream = picture_stream(container, path)
            seconds = clock_end(container)
            faults = [
                fault
                for span in spans
                if (fault := _check_frames(container, stream, span, seconds, path, decode))
            ]
            first = spans[0].row  # of a file that many rows name
            return faults + [
                Fault(first, "video", f"{path} {note}", "warning") for note in picture_notes(container)
            ]
    except (av.FFmpegError, ClipError) as error:
        message = (
            _clause(error) if isinstance(error, ClipError) else f"{path} cannot be read ({error.strerror})"
        )
        return [Fault(span.row, "video", message) for span in spans]


def _check_frames(
    container: Any, stream: Any, span: Span, seconds: float | None, path: Path, decode: bool
) -> Fault | None:
    fault = _out_of_range(span, seconds, path)
    if fault or not decode:
        return fault
    begin = span.start or 0.0
    try:
        container.seek(int((Fraction(begin) + clock_start(container)) * av.time_base))
        if next(container.decode(stream), None) is not None:
            return None
    except av.FFmpegError:  # FLV cannot seek to before its first picture, others not at all
        pass
    with PictureTrack(path) as track:  # it reads them all the same, and its word counts
        if next(track.pictures([begin]), None) is not None:
            return None
    if track.fault:
        return Fault(span.row, "video", f"{path} cannot be decoded at {begin:g} s ({track.fault})")
    return Fault(span.row, "video", f"{path} has no frame at {begin:g} s; replace the file")


def _out_of_range(span: Span, seconds: float | None, path: Path) -> Fault | None:
    if seconds is None:
        return None
    file = f"{path}, which is {seconds:.2f} s long"
    if span.start is not None and span.start >= seconds:
        return Fault(span.row, f"{span.clock}start", f"{span.start:g} s is not within {file}")
    if span.end is not None and span.end > seconds + TOLERANCE_SECONDS:
        return Fault(span.row, f"{span.clock}end", f"{span.end:g} s is beyond {file}")
    return None


def _clause(error: Exception) -> str:
    return str(error).rstrip(".")

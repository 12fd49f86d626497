"""Whether sound and picture are there and whole; headers are read, nothing is decoded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import av
import soundfile
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from affuse.media.clock import picture_tracks
from affuse.media.container import open_container
from affuse.media.riff import is_cut

# A half of these videos cannot be used, says the field's experience (../shared/facts, IEMOCAP quirks): the man's
# half of this dialog. Dialog and speaker's letter.
UNUSABLE = {("Ses05F_script02_2", "M")}
_SLACK = 0.1  # seconds by which times and media may differ


@dataclass(frozen=True)
class VideoState:
    """How much of a dialog's video there is."""

    seconds: float  # usable from the beginning
    note: str  # why it is less than the whole, or ""


def check_sentence(path: Path, seconds: float) -> str:
    """Say why the wav of a turn that lasts ``seconds`` cannot be used; "": it can."""
    try:
        # bytes are taken as they are, but for Windows, where names are texts
        info = soundfile.info(str(path) if os.name == "nt" else os.fsencode(path))  # type: ignore[arg-type]
        cut = is_cut(path)
    except (soundfile.LibsndfileError, OSError) as error:
        return f"the wav cannot be read ({_reason(path, error)})"
    if info.frames == 0:
        return "the wav is empty"
    if cut and info.duration < seconds - _SLACK:
        return f"the wav is truncated: {info.duration:.2f} s of {seconds:.2f} s"
    return ""


def check_video(path: Path) -> VideoState:
    """Measure a dialog's video; 0 s with a note where it cannot be used at all."""
    try:
        cut = is_cut(path)
        with open_container(path) as container:
            tracks = picture_tracks(container)
            if not tracks:
                return VideoState(0.0, "the avi has no picture")
            stream = tracks[0]
            if not cut:
                if stream.duration is not None and stream.time_base is not None:
                    return VideoState(float(stream.duration * stream.time_base), "")
                return VideoState(float(container.duration or 0) / av.time_base, "")
            # Only a file shorter than it says is walked through, for where its pictures stop.
            last = _last_packet(container, stream)
        return VideoState(last, f"the avi is truncated after {last:.1f} s")
    except (FFmpegError, OSError) as error:
        return VideoState(0.0, f"the avi cannot be read ({_reason(path, error)})")


def _last_packet(container: InputContainer, stream: VideoStream) -> float:
    """The last picture's time in seconds; a damaged end counts as the end."""
    last = 0.0
    try:
        for packet in container.demux(stream):
            time = packet.dts if packet.pts is None else packet.pts
            if time is not None and packet.time_base:
                last = max(last, float(time * packet.time_base))
    except FFmpegError:
        pass
    return last


def _reason(path: Path, error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    try:
        with open(path, "rb") as stream:
            return "damaged" if stream.read(1) else "empty"
    except OSError as reading:
        return reading.strerror or "unreadable"

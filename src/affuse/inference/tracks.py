"""What a file has to offer: sound, pictures, and how long it says it is."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import av

from affuse.errors import ClipError
from affuse.media.audio import probe_audio
from affuse.media.clock import clock_end, picture_tracks
from affuse.media.container import open_container
from affuse.media.regular_file import check_file


class Tracks(NamedTuple):
    """``seconds`` as the headers say, None where they do not or cannot be believed. A cover picture is no picture
    track, a track whose codec is unknown is none either."""

    sound: bool
    picture: bool
    seconds: float | None


def find_tracks(path: Path) -> Tracks:
    """Raises ClipError for a file that is missing, empty or not media."""
    check_file(path, row=False)
    try:
        with open_container(path) as container:
            pictures = picture_tracks(container)
            seconds = clock_end(container)
            sound = any(stream.codec_context is not None for stream in container.streams.audio)
            picture = bool(pictures) and pictures[0].codec_context is not None
            if not sound and not picture and (container.streams.audio or pictures):
                raise ClipError(
                    f"{path} is in a codec that FFmpeg does not know, or is protected (DRM); convert it."
                )
            return Tracks(sound, picture, seconds)
    except (av.FFmpegError, OSError, ValueError):
        pass
    return Tracks(
        True, False, probe_audio(path).seconds
    )  # what only soundfile reads; its sentence if it cannot

"""What a file has to offer: sound, pictures, and how long it says it is."""

# pyright: reportUnnecessaryComparison=false
# PyAV's types do not know that codecs and times may be missing.

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import av

from affuse.errors import ClipError
from affuse.media.audio import probe_audio
from affuse.media.clock import clock_end, picture_tracks
from affuse.media.container import open_container
from affuse.media.picture_track import no_pictures, picture_notes
from affuse.media.regular_file import check_file
from affuse.media.samples import Samples


class Tracks(NamedTuple):
    """What a file has.

    Attributes:
        sound: Whether it has sound in a codec that is known.
        picture: The same for pictures; a cover picture is none.
        seconds: How long it is by its headers; None where they do not say or cannot be believed.
        notes: What is particular about the pictures, a sentence each.
        number: Of all tracks, of whatever kind.
        sizes: Width and height of the pictures of each picture track, by its header.
    """

    sound: bool
    picture: bool
    seconds: float | None
    notes: tuple[str, ...] = ()
    number: int = 1
    sizes: tuple[tuple[int, int], ...] = ()


def find_tracks(path: Path | Samples) -> Tracks:
    """What is in a file, or in an array, which is sound alone.

    Raises:
        ClipError: The file is missing, empty or not media.
    """
    if isinstance(path, Samples):
        return Tracks(True, False, path.seconds)
    check_file(path, row=False)
    try:
        with open_container(path) as container:
            pictures = picture_tracks(container)
            seconds = clock_end(container)
            sound = any(stream.codec_context is not None for stream in container.streams.audio)
            picture = any(track.codec_context is not None for track in pictures)
            if not sound and not picture and (container.streams.audio or pictures):
                raise ClipError(
                    f"{path} is in a codec that FFmpeg does not know, or is protected (DRM); convert it."
                )
            if not sound and not picture and container.streams.video:
                raise ClipError(
                    f"{path} {no_pictures(container)}; give a file with sound or moving pictures."
                )
            notes = tuple(f"{path} {note}." for note in picture_notes(container))
            contexts = [track.codec_context for track in pictures if track.codec_context is not None]
            sizes = tuple((one.width, one.height) for one in contexts)
            return Tracks(sound, picture, seconds, notes, len(container.streams), sizes)
    except (av.FFmpegError, OSError, ValueError):
        pass
    return Tracks(
        True, False, probe_audio(path).seconds
    )  # what only soundfile reads; its sentence if it cannot

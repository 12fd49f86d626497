"""What encoders ask of the faces of a clip."""

from __future__ import annotations

from typing import Any

from affuse.encoders.face_clips import FaceEncoder, PictureOptions
from affuse.inference.faces import FaceOptions
from affuse.inference.settings import Settings


def face_options(options: PictureOptions, size: int, settings: Settings) -> FaceOptions:
    """What an encoder asks of the faces of a clip; ``size``: rows and columns of a face.

    Raises:
        AffuseError: The detector that comes with affuse is missing or altered.
    """
    detector = settings.detector or options.detector_for(settings.side)
    if settings.face is not None and detector is None:  # a face is chosen among those that are found
        detector = options.chosen_detector()
    return FaceOptions(
        options.frames_per_second, options.seconds, size, settings.side, detector, settings.face
    )


def reads_plainly(kind: type[Any]) -> bool:
    """Whether encoders of a class read faces as ``FaceEncoder`` does, and not pictures in a way of their own."""
    return (
        issubclass(kind, FaceEncoder)
        and kind.read is FaceEncoder.read
        and kind.read_with_fault is FaceEncoder.read_with_fault
    )

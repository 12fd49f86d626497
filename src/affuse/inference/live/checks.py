"""What a stream takes: which models, which settings, which samples."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from affuse.encoders.base import Encoder
from affuse.encoders.face_clips import FaceEncoder
from affuse.errors import AffuseError, argument
from affuse.inference.clip_reader import WHAT
from affuse.inference.face_encoders import face_options, reads_plainly
from affuse.inference.faces import FaceOptions
from affuse.inference.predict import NO_RECOGNISER
from affuse.inference.settings import Settings

if TYPE_CHECKING:
    from affuse.models.network import Model

# settings of a file, or of what is known of a whole clip only
_OF_FILES = ("values", "text", "words", "channel", "track", "start", "end")
_OF_PICTURES = ("side", "face", "detector")
_USUAL_PEAK = 8.0  # as in files: mixes in floats exceed 1 by that


def check_stream(model: Model, settings: Settings, pictures: bool = False) -> None:
    """Check that a model can be asked about a stream under these settings.

    Args:
        model: Which answers.
        settings: How it is judged.
        pictures: Whether the stream has pictures beside its sound.

    Raises:
        AffuseError: A setting of files, or a model that reads nothing of what the stream has, or none of its pictures.
    """
    for name in _OF_FILES if pictures else (*_OF_FILES, *_OF_PICTURES):
        if getattr(settings, name) is not None:
            raise AffuseError(f"{argument(name)} does not go with a stream of sound; leave it out.")
    kinds = {name: encoder.kind for name, encoder in model.resolved.items()}
    if pictures:
        check_faces(kinds, [name for name, one in model.resolved.items() if reads_plainly(one.part)])
        return
    if not {"audio", "text"} & set(kinds.values()):
        reads = ", ".join(f"{name} ({WHAT[kind]})" for name, kind in kinds.items())
        raise AffuseError(
            f"This model reads {reads}, and a stream has sound alone; record a file and predict that, or push the "
            "pictures too (model.stream(rate, pictures=True))."
        )
    wordless = settings.asr is None and model.defaults.recogniser is None
    if "audio" not in kinds.values() and (wordless or settings.asr == NO_RECOGNISER):
        raise AffuseError(
            f"This model reads words, and a stream has sound alone; give {argument('asr')} (a recogniser)."
        )


def check_faces(kinds: Mapping[str, str], read: Collection[str]) -> None:
    """Check that a model can be given pictures while they are made.

    Args:
        kinds: Modality -> kind.
        read: The modalities that read faces as ``FaceEncoder`` does.

    Raises:
        AffuseError: There is none.
    """
    own = [name for name, kind in kinds.items() if kind == "video"]
    if not own:
        raise AffuseError(
            "This model does not read faces, so a stream of it has no pictures; leave them out."
        )
    if not read:
        raise AffuseError(
            f"The modality {own[0]!r} reads pictures in a way of its own, from files alone, so a stream has none; "
            "leave them out."
        )


def faces_read(encoders: Mapping[str, Encoder], settings: Settings) -> dict[str, FaceOptions]:
    """Modality -> what its encoder asks of faces, of those that a stream can give them to."""
    return {
        name: face_options(encoder.options, encoder.size_of(encoder.options), settings)
        for name, encoder in encoders.items()
        if isinstance(encoder, FaceEncoder) and reads_plainly(type(encoder))
    }


def detects(settings: Settings, kinds: Mapping[str, str]) -> bool:
    """Whether speech is looked for; kinds: modality -> kind. As in files, a model of faces alone takes all of it."""
    return settings.vad if settings.vad is not None else set(kinds.values()) - {"features"} != {"video"}


def never_streamed(kinds: Mapping[str, str], seen: Collection[str] = ()) -> list[str]:
    """What is to be said of modalities that a stream cannot give.

    Args:
        kinds: Modality -> kind.
        seen: Those that are given pictures.
    """
    return [
        f"The modality {name!r} is {WHAT[kind]}, which a stream of sound has not: every answer is without it."
        for name, kind in kinds.items()
        if kind in ("video", "features") and name not in seen
    ]


def checked_block(block: Any) -> tuple[np.ndarray, bool]:
    """A block of samples as (time,) float32, of its own memory, and whether some were NaN or infinite (now 0).

    Raises:
        AffuseError: It is not (time,), not of floats or int16, or of floats that are no samples from -1 to 1.
    """
    samples = np.asarray(block.detach().cpu() if hasattr(block, "detach") else block)
    if samples.ndim != 1 or not (samples.dtype.kind == "f" or samples.dtype == np.int16 or not samples.size):
        raise AffuseError(
            f"A block of a stream is (time,) of floats or int16, not {samples.dtype} of shape {samples.shape}; mix "
            "several channels to one first."
        )
    if samples.dtype == np.int16:
        return samples.astype(np.float32) / np.float32(2**15), False
    with np.errstate(over="ignore"):
        mono = np.array(samples, np.float32)
    bad = ~np.isfinite(mono)
    mono[bad] = 0
    if len(mono) and (peak := float(np.abs(mono).max())) > _USUAL_PEAK:
        raise AffuseError(
            f"A block of the stream has floats that reach {peak:.4g}, where floats end at 1; divide them by their "
            "full scale, or give int16."
        )
    return mono, bool(bad.any())

"""The first pass over a clip's sound: how long it is, where somebody speaks, how loud it is."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from affuse.media.sound_stream import SoundStream
from affuse.media.speech import Span, SpeechDetector

PEAK_SECONDS = 0.05


class Survey(NamedTuple):
    """seconds of sound; spans of speech (the whole clip without detection); peaks: the loudest sample of every
    ``PEAK_SECONDS``, 0 to 1; fault: what could not be decoded, or ""; remarks: what is particular about the rest."""

    seconds: float
    speech: list[Span]
    peaks: np.ndarray
    fault: str
    remarks: tuple[str, ...] = ()


def survey(path: Path, channel: int | None, detect: bool, track: int | None = None) -> Survey:
    """Decode the sound once. Raises ClipError where there is none to decode."""
    stream = SoundStream(path, channel, track)
    detector = SpeechDetector(stream.rate) if detect else None
    size = max(1, round(PEAK_SECONDS * stream.rate))
    rest = np.zeros(0, np.float32)
    peaks: list[np.ndarray] = []
    for block in stream:
        if detector is not None:
            detector.hear(block)
        rest = np.concatenate([rest, np.abs(block)])
        whole = len(rest) // size * size
        peaks.append(rest[:whole].reshape(-1, size).max(axis=1).astype(np.float16))
        rest = rest[whole:]
    if len(rest):
        peaks.append(rest.max(keepdims=True).astype(np.float16))
    seconds = stream.position / stream.rate
    speech = detector.spans() if detector is not None else [Span(0.0, seconds)] if seconds else []
    loud = np.concatenate(peaks).astype(np.float32) if peaks else np.zeros(0, np.float32)
    return Survey(seconds, speech, loud, stream.fault, tuple(stream.remarks))

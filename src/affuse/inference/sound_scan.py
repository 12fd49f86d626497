"""The first pass over a clip's sound: how long it is, where somebody speaks, how loud it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from affuse.inference.watching import unwatched
from affuse.media.samples import Samples
from affuse.media.sound_stream import SoundStream
from affuse.media.speech import Span, SpeechDetector

PEAK_SECONDS = 0.05


class SoundScan(NamedTuple):
    """What one pass over the sound has found.

    Attributes:
        seconds: When the sound, or the range of it, ends.
        speech: Spans in which somebody speaks; all of it without detection.
        peaks: The loudest sample of every ``PEAK_SECONDS`` of the range, 0 to 1.
        fault: What could not be decoded, or "".
        remarks: What is particular about the rest.
    """

    seconds: float
    speech: list[Span]
    peaks: np.ndarray
    fault: str
    remarks: tuple[str, ...] = ()


def scan_sound(
    path: Path | Samples,
    channel: int | None,
    detect: bool,
    start: float = 0.0,
    end: float | None = None,
    track: int | None = None,
    watch: Callable[[float], None] = unwatched,
) -> SoundScan:
    """Decode the sound once; times count from the file's beginning.

    Args:
        path: A file, or samples in memory.
        channel: From 0; None is the mix of all.
        detect: Whether speech is looked for.
        start: Seconds; only the range from here on is decoded.
        end: Seconds; None is the end of the sound.
        track: From 0; None is the first.
        watch: Called with the seconds that were decoded so far, again and again; what it raises ends the scan.

    Raises:
        ClipError: There is no sound to decode.
    """
    stream = SoundStream(path, channel, track, start, end)
    first = stream.position
    detector = SpeechDetector(stream.rate) if detect else None
    size = max(1, round(PEAK_SECONDS * stream.rate))
    rest = np.zeros(0, np.float32)
    peaks: list[np.ndarray] = []
    for block in stream:
        if detector is not None:
            detector.hear(block)
        watch((stream.position - first) / stream.rate)
        rest = np.concatenate([rest, np.abs(block)])
        whole = len(rest) // size * size
        peaks.append(rest[:whole].reshape(-1, size).max(axis=1).astype(np.float16))
        rest = rest[whole:]
    if len(rest):
        peaks.append(rest.max(keepdims=True).astype(np.float16))
    seconds = stream.position / stream.rate
    if stream.position == first > 0:  # the file ends before the range; headers may not say when
        seconds = min(start, sum(map(len, SoundStream(path, channel, track))) / stream.rate)
    seconds = seconds if end is None else min(seconds, end)
    if detector is not None:
        speech = [Span(start + a, min(start + b, seconds)) for a, b in detector.spans()]
    else:
        speech = [Span(start, seconds)] if seconds > start else []
    loud = np.concatenate(peaks).astype(np.float32) if peaks else np.zeros(0, np.float32)
    return SoundScan(seconds, speech, loud, stream.fault, tuple(stream.remarks))

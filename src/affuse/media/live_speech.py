"""Where somebody speaks, while the sound goes on: the spans of ``speech.SpeechDetector``, as early as they are sure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from affuse.media.speech import (
    FRAME,
    LEAST_PAUSE_MS,
    LEAST_SPEECH_MS,
    PAD_MS,
    RATE,
    THRESHOLD,
    Span,
    SpeechFrames,
)

_SILENT_BELOW = THRESHOLD - 0.15  # silero's own: what lies between the two neither ends speech nor a pause
_LEAST_SPEECH, _LEAST_PAUSE = RATE * LEAST_SPEECH_MS / 1000, RATE * LEAST_PAUSE_MS / 1000  # samples
_PAD = RATE * PAD_MS // 1000


class OpenSpan(NamedTuple):
    """Speech that has not ended.

    Attributes:
        start: Seconds.
        until: Seconds; the span will end here or later, whatever comes.
        sure: Whether it is long enough to count, whatever comes.
        pause: Seconds of the pause that has begun, which ends the span at ``until`` if it goes on; 0: there is none.
    """

    start: float
    until: float
    sure: bool
    pause: float


class SpanFinder:
    """Spans from frame probabilities: silero's ``get_speech_timestamps_from_probs``, frame by frame.

    It has the defaults of ``speech.SpeechDetector``, without a longest span. Times are samples at 16 kHz.
    """

    def __init__(self) -> None:
        self.frames = 0
        self._start: int | None = None
        self._pause: int | None = None  # where a pause has begun that has not ended the span

    def add(self, probabilities: Iterable[float]) -> list[tuple[int, int]]:
        """The next frames -> (start, end) of the spans that ended in them."""
        ended: list[tuple[int, int]] = []
        for p in probabilities:
            at = self.frames * FRAME
            self.frames += 1
            if p >= THRESHOLD:
                self._pause = None
                self._start = at if self._start is None else self._start
            elif p < _SILENT_BELOW and self._start is not None:
                self._pause = at if self._pause is None else self._pause
                if at - self._pause >= _LEAST_PAUSE:
                    if self._pause - self._start > _LEAST_SPEECH:
                        ended.append((max(0, self._start - _PAD), self._pause + _PAD))
                    self._start = self._pause = None
        return ended

    def end(self, length: int) -> list[tuple[int, int]]:
        """The last span, where the sound of ``length`` samples ends in one."""
        if self._start is None or length - self._start <= _LEAST_SPEECH:
            return []
        return [(max(0, self._start - _PAD), length)]

    def open(self, heard: int) -> OpenSpan | None:
        """The span that has not ended, where ``heard`` samples are there."""
        if self._start is None:
            return None
        spoken = self.frames * FRAME if self._pause is None else self._pause
        pause = 0 if self._pause is None else self.frames * FRAME - self._pause
        return OpenSpan(
            max(0, self._start - _PAD) / RATE,
            min(spoken + _PAD, heard) / RATE,
            min(spoken, heard) - self._start > _LEAST_SPEECH,
            pause / RATE,
        )

    @property
    def quiet_until(self) -> float:
        """Seconds before which no span will begin that has not begun."""
        return max(0, self.frames * FRAME - _PAD) / RATE


class LiveSpeech:
    """Spans of a stream of sound: ``hear`` every block, then ``end``.

    Args:
        rate: Of the sound, in Hz.
        detect: False takes all of the sound as one span.

    Raises:
        AffuseError: Where silero-vad or onnxruntime is not installed.
    """

    def __init__(self, rate: int, detect: bool = True) -> None:
        self.rate, self.heard = rate, 0
        self._frames = SpeechFrames(rate) if detect else None
        self._finder = SpanFinder()

    @property
    def seconds(self) -> float:
        """Of sound so far."""
        return self.heard / self.rate

    def hear(self, block: np.ndarray) -> list[Span]:
        """(time,) float32 -> the spans that ended."""
        self.heard += len(block)
        if self._frames is None:
            return []
        return self._found(self._finder.add(_numbers(self._frames.hear(block))))

    def end(self) -> list[Span]:
        """The spans that end with the sound."""
        if self._frames is None:
            return [Span(0.0, self.seconds)] if self.heard else []
        ended = self._finder.add(_numbers(self._frames.end()))
        return self._found(ended + self._finder.end(round(self.seconds * RATE)))

    @property
    def open(self) -> OpenSpan | None:
        """The span that has not ended."""
        if self._frames is None:
            return OpenSpan(0.0, self.seconds, True, 0.0) if self.heard else None
        return self._finder.open(self.heard * RATE // self.rate)

    @property
    def quiet_until(self) -> float:
        """Seconds before which no span will begin that has not begun."""
        return self._finder.quiet_until

    def _found(self, spans: Iterable[tuple[int, int]]) -> list[Span]:
        return [Span(start / RATE, min(end / RATE, self.seconds)) for start, end in spans]


def _numbers(parts: Iterable[np.ndarray]) -> list[float]:
    return [p for part in parts for p in part.tolist()]

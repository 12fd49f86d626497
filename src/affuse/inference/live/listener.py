"""Sound, block by block -> speech -> the windows of a prediction, each as soon as it is sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from affuse.inference.live.kept_sound import KeptSound
from affuse.inference.windows import Window, count_windows, last_window, regular_window
from affuse.media.live_speech import LiveSpeech
from affuse.media.sound import Sound, StreamName, bounds
from affuse.media.speech import Span

_BEAT = 1.0  # seconds of speech after which something new is told of it
_PAUSE = 0.16  # seconds; most pauses inside of words are over by then
STREAM = StreamName("The stream")


class ReadyWindow(NamedTuple):
    """A window whose sound is there.

    Attributes:
        number: From 0, in the order in which they are ready.
        start: Seconds of the stream.
        end: Seconds of the stream.
        span: Which span it lies in, from 0.
        sound: Of the window.
        sure: Whether it is one of the windows of the whole recording. Others show what will come: they are answered
            early, and one of them may become sure (``SpanNews.last``).
    """

    number: int
    start: float
    end: float
    span: int
    sound: Sound
    sure: bool


class SpanNews(NamedTuple):
    """How far a span is settled.

    Attributes:
        span: From 0.
        settled: Seconds; no window that is yet to come begins before.
        last: The number of its last window, where it has ended; None: it goes on.
        whole: From start to end, where it has ended.
        sound: All of it, where the listener was asked for it.
    """

    span: int
    settled: float
    last: int | None = None
    whole: Span | None = None
    sound: Sound | None = None


class Heard(NamedTuple):
    """What has become known; ``spans`` in order, those that end before those that begin."""

    windows: list[ReadyWindow]
    spans: list[SpanNews]


@dataclass
class _Open:
    """What was given of the span that goes on."""

    number: int
    start: float
    regular: int = 0  # windows that are sure
    shown: int = 0  # of those, or of those that will be sure when the span ends
    told: float = 0.0  # where the last window ended, sure or not
    guess: tuple[float, int] | None = (
        None  # where the span may end, and the number of what would be its last window
    )


class Listener:
    """The windows that ``lay_windows`` lays over the speech of a whole recording, while it is being made.

    It keeps about a window of sound, a span where ``whole`` is asked for. No model is needed, and no clock.

    Args:
        rate: Of the sound, in Hz.
        window: Seconds.
        hop: Seconds from window to window.
        detect: Whether speech is looked for; False takes all of the sound as one span.
        early: Give windows too that only show what comes: one after each second without another. One where a span may
            end in the pause that has begun is given anyway: it is most often the last one, and answered early then.
        whole: Windows are not sure before their span ends, and its sound is given then: for words, which a recogniser
            hears in a whole span.

    Examples:
        >>> listener = Listener(16_000, window=2.0, hop=1.0, detect=False, early=False)
        >>> second = np.zeros(16_000, np.float32)
        >>> [window.end for _ in range(4) for window in listener.hear(second).windows]
        [2.0, 3.0]
        >>> [(window.start, window.end) for window in listener.end().windows]
        [(2.0, 4.0)]
    """

    def __init__(
        self,
        rate: int,
        window: float,
        hop: float,
        *,
        detect: bool = True,
        early: bool = True,
        whole: bool = False,
    ) -> None:
        self.rate, self.window, self.hop = rate, window, hop
        self._early, self._whole = early, whole
        self._speech = LiveSpeech(rate, detect)
        self._kept = KeptSound()
        self._open: _Open | None = None
        self._spans = self._numbers = 0
        self._needed = 0.0
        self._heard = Heard([], [])

    @property
    def seconds(self) -> float:
        """Of sound so far."""
        return self._speech.seconds

    @property
    def needed(self) -> float:
        """Seconds before which no window will begin that is yet to come."""
        return self._needed

    @property
    def kept(self) -> int:
        """Samples that are kept."""
        return self._kept.end - self._kept.first

    def hear(self, block: np.ndarray) -> Heard:
        """The next block: (time,) float32, mono, finite; nobody may change it afterwards."""
        self._heard = Heard([], [])
        self._kept.add(block)
        for span in self._speech.hear(block):
            self._close(span)
        self._follow()
        self._give_up()
        return self._heard

    def end(self) -> Heard:
        """What becomes known because no more sound comes."""
        self._heard = Heard([], [])
        for span in self._speech.end():
            self._close(span)
        self._open = None
        return self._heard

    def _follow(self) -> None:
        """The span that goes on, if there is one that counts."""
        speech = self._speech.open
        if speech is None or not speech.sure:
            return
        span = self._opened(speech.start)
        self._regular(span, speech.until, sure=not self._whole)
        self._guess(span, speech.until, speech.pause)
        settled = span.start if self._whole else max(span.start, speech.until - self.window)
        self._heard.spans.append(SpanNews(span.number, settled))

    def _opened(self, start: float) -> _Open:
        if self._open is None:
            self._open = _Open(self._spans, start, told=start)
            self._spans += 1
        return self._open

    def _regular(self, span: _Open, until: float, sure: bool) -> None:
        """The windows that the span has for certain if it goes on to ``until``."""
        count = count_windows(span.start, until, self.window, self.hop)
        given = span.regular if sure else span.shown
        if sure or self._early:
            for k in range(given, count):
                self._give(span, regular_window(span.start, k, self.window, self.hop, span.number), sure)
            span.shown = max(span.shown, count)
        if sure:
            span.regular = max(given, count)

    def _guess(self, span: _Open, until: float, pause: float) -> None:
        """A window of speech that may be the span's last one, or that is new only."""
        if span.guess is not None and span.guess[0] == until:
            return
        ends = pause >= _PAUSE and (self._early or not self._whole)
        if ends or (self._early and until >= span.told + _BEAT):
            number = self._give(span, last_window(span.start, until, self.window, span.number), sure=False)
            span.guess = (until, number)

    def _close(self, whole: Span) -> None:
        span = self._opened(whole.start)
        self._open = None
        self._regular(span, whole.end, sure=True)
        if not self._whole and span.guess is not None and span.guess[0] == whole.end:
            number = span.guess[1]
        else:
            number = self._give(span, last_window(*whole, self.window, span.number), sure=True)
        sound = self._sound(*whole) if self._whole else None
        self._heard.spans.append(SpanNews(span.number, whole.end, number, whole, sound))

    def _give(self, span: _Open, window: Window, sure: bool) -> int:
        number, self._numbers = self._numbers, self._numbers + 1
        sound = self._sound(window.start, window.end)
        self._heard.windows.append(ReadyWindow(number, *window, sound, sure))
        span.told = max(span.told, window.end)
        return number

    def _sound(self, start: float, end: float) -> Sound:
        first, last = bounds(start, end, self.rate)
        assert last is not None
        return Sound(self._kept.cut(first, min(last, self._kept.end)), self.rate, first, STREAM)

    def _give_up(self) -> None:
        """Sound before whatever may still become a window."""
        speech, span = self._speech.open, self._open
        if speech is None:
            needed = self._speech.quiet_until
        elif span is None or self._whole:
            needed = speech.start
        else:
            begin = regular_window(span.start, span.regular, self.window, self.hop, span.number).start
            needed = max(span.start, min(begin, speech.until - self.window))
        self._needed = needed
        # a sample more: the times of samples are rounded
        self._kept.give_up(round(needed * self.rate) - 1)

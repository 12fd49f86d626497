"""``model.stream``: blocks of samples in, segments out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from torch import Tensor

from affuse.errors import AffuseError
from affuse.inference.live.checks import check_stream, checked_block, detects, faces_read, never_streamed
from affuse.inference.live.listener import STREAM, Heard, Listener, ReadyWindow
from affuse.inference.live.pictures import LivePictures, Square, checked_picture
from affuse.inference.live.segments import LiveSegments
from affuse.inference.live.window import read_window
from affuse.inference.predict import Predictor
from affuse.inference.recogniser import pieces_of
from affuse.inference.settings import Settings
from affuse.inference.timeline import Segment
from affuse.inference.window_answers import given_of
from affuse.inference.windows import Window
from affuse.inference.words import Word
from affuse.media.samples import check_rate
from affuse.recipe.dimension import Dimension

if TYPE_CHECKING:
    from affuse.models.network import Model

_MOST_FAULTS = 20


class LiveSegment(NamedTuple):
    """A segment of a stream.

    Attributes:
        segment: Times are seconds of the stream.
        final: Whether nothing will change it. Those that may change follow the final ones, and replace all that were
            given before as not final.
    """

    segment: Segment
    final: bool


class LiveStream:
    """Prediction while the sound goes on: ``push`` every block, then ``close``, which tells what is left.

    With ``pictures``, give it those of the speaker too, by ``push_picture``, beside the sound that they belong to.

    All final segments together are those of ``predict`` on the whole recording: the same times, labels and modalities;
    probabilities may differ by 0.0001, because how many windows run through the network together moves their last
    bits before they are rounded. (A label would differ only if two classes were equal to these bits.)

    A final segment comes when no window to come can change it: the last one of an utterance when the pause behind it
    is long enough to end it, which takes 0.29 s of silence. With a recogniser, words of an utterance are heard when
    it ends, and its final segments come then. With pictures, a window waits for the first picture behind its last
    frame, for at most a second of sound.

    Behind a ``with`` block it takes no more, whether it was closed or broken off.

    Args:
        model: Trained.
        rate: Of the samples, in Hz.
        tasks: Those that are answered; None: all of the model's.
        partial: Tell segments too that may change, once a second. False saves the time that they take.
        settings: None takes every default.
        pictures: Whether pictures come beside the sound.

    Attributes:
        faults: What could not be used, in sentences; the first 20.
        squares: Modality -> where the face of the newest window is, as shares of its picture; None: none is seen.

    Raises:
        AffuseError: Settings that do not fit, a model that reads pictures alone and a stream without, or one that reads
            none and a stream with.
    """

    def __init__(
        self,
        model: Model,
        rate: int,
        tasks: Sequence[str] | None = None,
        partial: bool = True,
        settings: Settings | None = None,
        pictures: bool = False,
    ) -> None:
        settings = settings or Settings()
        self.rate = check_rate(rate)
        check_stream(model, settings, pictures)
        self._predictor = predictor = Predictor(model, settings, tasks=tasks)
        self._recogniser = predictor.words.recogniser
        self._partial = partial
        self._listener = Listener(
            self.rate,
            predictor.window,
            predictor.hop,
            detect=detects(predictor.settings, predictor.kinds),
            early=partial,
            whole=self._recogniser is not None,
        )
        self._faces = faces_read(predictor.network.encoders, settings) if pictures else {}
        self._pictures = LivePictures(self._faces) if pictures else None
        self._waiting: dict[int, tuple[ReadyWindow, Sequence[Word]]] = {}  # for their pictures
        self._segments = LiveSegments(predictor.maker.judge)
        self._tasks = predictor.maker.tasks
        self._shown: list[Segment] = []
        self._closed = False
        self.faults: list[str] = []
        self.squares: dict[str, Square | None] = {}

    @property
    def seconds(self) -> float:
        """Of sound so far."""
        return self._listener.seconds

    @property
    def warning(self) -> str:
        """What should be known before the answers are believed, or ""."""
        unread = never_streamed(self._predictor.kinds, self._faces)
        return " ".join(filter(None, (self._predictor.warning, *unread)))

    @property
    def spaces(self) -> dict[str, list[str]]:
        """Task -> the classes that may be answered."""
        return self._predictor.maker.judge.spaces

    @property
    def ranges(self) -> dict[str, Dimension]:
        """Regression -> its scale."""
        return self._predictor.maker.dimensions

    def push(self, block: Any) -> list[LiveSegment]:
        """Hear the next samples, however many.

        Args:
            block: (time,), mono: floats from -1 to 1, or int16. Samples that are NaN or infinite count as silence.

        Returns:
            The segments that have become final, then those that may change, where they have changed.

        Raises:
            AffuseError: Samples of another kind, or the stream was closed.
        """
        self._check_open()
        samples, bad = checked_block(block)
        if bad:
            self._say(
                f"{STREAM} has samples that are NaN or infinite from {self.seconds:.2f} s on; they count as silence."
            )
        return self._tell(self._listener.hear(samples))

    def push_picture(self, picture: Any, seconds: float | None = None) -> list[LiveSegment]:
        """See the next picture.

        Args:
            picture: (height, width, 3) uint8 RGB, or the bytes of a JPEG.
            seconds: Of the stream, on the clock of its sound, later than those of the picture before. None: the sound
                that was pushed so far.

        Returns:
            As ``push``.

        Raises:
            AffuseError: What is no picture, one that comes out of order, more of them than can be kept for one window,
                or a stream that has no pictures or was closed.
        """
        self._check_open()
        if self._pictures is None:
            raise AffuseError("This stream has no pictures; open it with pictures=True (model.stream).")
        self._pictures.push(self.seconds if seconds is None else float(seconds), checked_picture(picture))
        return self._tell_changes(self._answer_seen())

    def close(self) -> list[LiveSegment]:
        """End the sound: the segments that are left, all of them final."""
        if self._closed:
            return []
        self._closed = True
        if self._pictures is not None:
            self._pictures.end()
        told = self._tell(self._listener.end())
        if self._pictures is not None and (fault := self._pictures.fault):
            self._say(fault)
        return told

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True

    def _tell(self, heard: Heard) -> list[LiveSegment]:
        self._segments.expect(heard)
        words = self._hear_words(heard)
        if self._pictures is None:
            self._answer([(window, words, {}) for window in heard.windows])
            return self._tell_changes(bool(heard.windows))
        for window in heard.windows:
            self._waiting[window.number] = (window, words)
            self._pictures.ask(window.number, Window(window.start, window.end, window.span))
        self._pictures.hear(self.seconds, self._listener.needed)
        return self._tell_changes(self._answer_seen())

    def _answer_seen(self) -> bool:
        """The windows whose pictures are there; whether there is one."""
        assert self._pictures is not None
        read: list[tuple[ReadyWindow, Sequence[Word], Mapping[str, np.ndarray | None]]] = []
        for one in self._pictures.ready():
            read.append((*self._waiting.pop(one.number), one.faces))
            self.squares = one.squares
        self._answer(read)
        return bool(read)

    def _tell_changes(self, answered: bool) -> list[LiveSegment]:
        found = self._segments.sealed()
        told = [LiveSegment(segment, True) for segment in found]
        if self._partial and (answered or found):
            shown = self._segments.partial()
            if shown != self._shown:
                self._shown = shown
                told += [LiveSegment(segment, False) for segment in shown]
        return told

    def _hear_words(self, heard: Heard) -> list[Word]:
        """The words of the spans that have ended."""
        words: list[Word] = []
        for news in heard.spans:
            if self._recogniser is not None and news.sound is not None and news.whole is not None:
                said: list[Word] = []
                for waveform, piece in pieces_of(news.sound, news.whole):
                    said += self._recogniser.words(waveform, piece)
                self._segments.say(news.span, said)
                words += said
        return words

    def _answer(
        self, windows: Sequence[tuple[ReadyWindow, Sequence[Word], Mapping[str, np.ndarray | None]]]
    ) -> None:
        """windows: each with the words of its span and its faces."""
        network = self._predictor.network
        for at in range(0, len(windows), network.size):
            batch = [window for window, _, _ in windows[at : at + network.size]]
            read: list[dict[str, Tensor | None]] = []
            for window, words, faces in windows[at : at + network.size]:
                tensors, causes = read_window(network.encoders, window, words if window.sure else (), faces)
                read.append(tensors)
                if window.sure:
                    for cause in causes:
                        self._say(cause)
            found = network.answer_windows(read)
            for i, window in enumerate(batch):
                answers = {task: found[task][i] for task in self._tasks}
                self._segments.answer(window.number, answers, given_of(read[i]))

    def _check_open(self) -> None:
        if self._closed:
            raise AffuseError("This stream was closed; open another one (model.stream).")

    def _say(self, fault: str) -> None:
        if fault not in self.faults and len(self.faults) < _MOST_FAULTS:
            self.faults.append(fault)

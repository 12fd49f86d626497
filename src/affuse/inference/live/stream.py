"""``model.stream``: blocks of samples in, segments out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from torch import Tensor

from affuse.corpora.corpus import Utterance
from affuse.encoders.base import Encoder
from affuse.errors import AffuseError, ClipError, argument
from affuse.inference.clip_reader import WHAT
from affuse.inference.live.listener import STREAM, Heard, Listener, ReadyWindow
from affuse.inference.live.segments import LiveSegments
from affuse.inference.predict import NO_RECOGNISER, Predictor
from affuse.inference.recogniser import pieces_of
from affuse.inference.settings import Settings
from affuse.inference.timeline import Segment
from affuse.inference.window_answers import given_of
from affuse.inference.words import Word, text_between
from affuse.media.samples import check_rate
from affuse.recipe.dimension import Dimension

if TYPE_CHECKING:
    from affuse.models.network import Model

# settings of a file, or of what is known of a whole clip only
_OF_FILES = ("values", "text", "words", "side", "face", "detector", "channel", "track", "start", "end")
_USUAL_PEAK = 8.0  # as in files: mixes in floats exceed 1 by that
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

    All final segments together are those of ``predict`` on the whole recording: the same times, labels and modalities;
    probabilities may differ by 0.0001, because how many windows run through the network together moves their last
    bits before they are rounded. (A label would differ only if two classes were equal to these bits.)

    A final segment comes when no window to come can change it: the last one of an utterance when the pause behind it
    is long enough to end it, which takes 0.29 s of silence. With a recogniser, words of an utterance are heard when
    it ends, and its final segments come then.

    Behind a ``with`` block it takes no more, whether it was closed or broken off.

    Args:
        model: Trained.
        rate: Of the samples, in Hz.
        tasks: Those that are answered; None: all of the model's.
        partial: Tell segments too that may change, once a second. False saves the time that they take.
        settings: None takes every default.

    Attributes:
        faults: What could not be used, in sentences; the first 20.

    Raises:
        AffuseError: Settings that do not fit, or a model that reads pictures alone.
    """

    def __init__(
        self,
        model: Model,
        rate: int,
        tasks: Sequence[str] | None = None,
        partial: bool = True,
        settings: Settings | None = None,
    ) -> None:
        settings = settings or Settings()
        self.rate = check_rate(rate)
        check_stream(model, settings)
        self._predictor = predictor = Predictor(model, settings, tasks=tasks)
        self._recogniser = predictor.words.recogniser
        self._partial = partial
        self._listener = Listener(
            self.rate,
            predictor.window,
            predictor.hop,
            detect=predictor.settings.vad is not False,
            early=partial,
            whole=self._recogniser is not None,
        )
        self._segments = LiveSegments(predictor.maker.judge)
        self._tasks = predictor.maker.tasks
        self._shown: list[Segment] = []
        self._closed = False
        self.faults: list[str] = []

    @property
    def seconds(self) -> float:
        """Of sound so far."""
        return self._listener.seconds

    @property
    def warning(self) -> str:
        """What should be known before the answers are believed, or ""."""
        return " ".join(filter(None, (self._predictor.warning, *never_streamed(self._predictor.kinds))))

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
        if self._closed:
            raise AffuseError("This stream was closed; open another one (model.stream).")
        samples, bad = checked_block(block)
        if bad:
            self._say(
                f"{STREAM} has samples that are NaN or infinite from {self.seconds:.2f} s on; they count as silence."
            )
        return self._tell(self._listener.hear(samples))

    def close(self) -> list[LiveSegment]:
        """End the sound: the segments that are left, all of them final."""
        if self._closed:
            return []
        self._closed = True
        return self._tell(self._listener.end())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True

    def _tell(self, heard: Heard) -> list[LiveSegment]:
        self._segments.expect(heard)
        words = self._hear_words(heard)
        self._answer(heard.windows, words)
        found = self._segments.sealed()
        told = [LiveSegment(segment, True) for segment in found]
        if self._partial and (heard.windows or found):
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

    def _answer(self, windows: Sequence[ReadyWindow], words: Sequence[Word]) -> None:
        network = self._predictor.network
        for at in range(0, len(windows), network.size):
            batch = windows[at : at + network.size]
            read: list[dict[str, Tensor | None]] = []
            for window in batch:
                tensors, causes = read_window(network.encoders, window, words if window.sure else ())
                read.append(tensors)
                if window.sure:
                    for cause in causes:
                        self._say(cause)
            found = network.answer_windows(read)
            for i, window in enumerate(batch):
                answers = {task: found[task][i] for task in self._tasks}
                self._segments.answer(window.number, answers, given_of(read[i]))

    def _say(self, fault: str) -> None:
        if fault not in self.faults and len(self.faults) < _MOST_FAULTS:
            self.faults.append(fault)


def read_window(
    encoders: Mapping[str, Encoder], window: ReadyWindow, words: Sequence[Word] = ()
) -> tuple[dict[str, Tensor | None], list[str]]:
    """A window as the encoders read it, and what of it could not be used.

    Args:
        encoders: Modality -> encoder.
        window: With its sound.
        words: Of its span.

    Returns:
        Modality -> the tensor of ``Encoder.read``, None where the window lacks it; and the causes, in sentences.
    """
    utterance = Utterance(
        id=f"window {window.number} ({window.start:.2f} s)",
        audio=window.sound if len(window.sound.samples) else None,
        video=None,
        text=text_between(words, window.start, window.end) or None,
        start=window.start,
        end=window.end,
    )
    tensors: dict[str, Tensor | None] = {}
    causes: list[str] = []
    for name, encoder in encoders.items():
        tensors[name] = None
        if encoder.kind == "video":
            continue
        try:
            tensors[name], fault = encoder.read_with_fault(utterance)
        except ClipError as error:
            fault = str(error)
        causes += [fault] if fault else []
    return tensors, causes


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


def check_stream(model: Model, settings: Settings) -> None:
    """Check that a model can be asked about a stream under these settings.

    Raises:
        AffuseError: A setting of files, or a model that reads pictures alone.
    """
    for name in _OF_FILES:
        if getattr(settings, name) is not None:
            raise AffuseError(f"{argument(name)} does not go with a stream of sound; leave it out.")
    kinds = {name: encoder.kind for name, encoder in model.resolved.items()}
    if not {"audio", "text"} & set(kinds.values()):
        reads = ", ".join(f"{name} ({WHAT[kind]})" for name, kind in kinds.items())
        raise AffuseError(
            f"This model reads {reads}, and a stream has sound alone; record a file and predict that."
        )
    wordless = settings.asr is None and model.defaults.recogniser is None
    if "audio" not in kinds.values() and (wordless or settings.asr == NO_RECOGNISER):
        raise AffuseError(
            f"This model reads words, and a stream has sound alone; give {argument('asr')} (a recogniser)."
        )


def never_streamed(kinds: Mapping[str, str]) -> list[str]:
    """What is to be said of modalities that a stream of sound cannot give; kinds: modality -> kind."""
    return [
        f"The modality {name!r} is {WHAT[kind]}, which a stream of sound has not: every answer is without it."
        for name, kind in kinds.items()
        if kind in ("video", "features")
    ]

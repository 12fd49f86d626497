"""Where somebody speaks: Silero VAD, from the package ``silero-vad``, over a stream of sound."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soxr

from affuse.errors import AffuseError, argument

RATE = 16_000
FRAME = 512  # samples of a frame (32 ms)
_CONTEXT = 64  # samples of the frame before that the network sees again
_BLOCK = 512  # frames of one call where nobody waits for them: 16.4 s
_MODEL = "silero_vad_16k_sequence.onnx"  # the released network, unrolled over a block of frames
# The package's own defaults, but for the pause: breath groups of one utterance stay together.
THRESHOLD = 0.5
LEAST_SPEECH_MS = 250
LEAST_PAUSE_MS = 256  # eight frames: a stream knows of an utterance's end 0.26 s after its last window
PAD_MS = 30


class Span(NamedTuple):
    """Seconds."""

    start: float
    end: float


class SpeechFrames:
    """The probability that somebody speaks, of every frame of a stream of sound.

    How the sound is cut into blocks, and frames into calls of the network, changes no bit of them.

    Args:
        rate: Of the sound, in Hz.
        least: Frames that are waited for before the network is called: few for an answer at once, many for speed.

    Attributes:
        heard: Samples so far.

    Raises:
        AffuseError: Where silero-vad or onnxruntime is not installed.
    """

    def __init__(self, rate: int, least: int = 1) -> None:
        self._session = _session()
        self._resampler = None if rate == RATE else soxr.ResampleStream(rate, RATE, 1, dtype="float32")
        self.rate, self.heard = rate, 0
        self._least = least
        self._waiting: list[np.ndarray] = []
        self._queued = 0
        self._context = np.zeros(_CONTEXT, np.float32)
        self._hidden = np.zeros((1, 1, 128), np.float32)
        self._cell = np.zeros((1, 1, 128), np.float32)

    def hear(self, block: np.ndarray) -> list[np.ndarray]:
        """(time,) float32 -> what has become known: (frames,) float32 each."""
        self.heard += len(block)
        self._queue(block if self._resampler is None else self._resampler.resample_chunk(block))
        found: list[np.ndarray] = []
        while self._queued >= self._least * FRAME:
            found.append(self._run(min(_BLOCK, self._queued // FRAME)))
        return found

    def end(self) -> list[np.ndarray]:
        """What is left, the last frame filled up with zeros; ends the stream."""
        if self._resampler is not None:
            self._queue(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
            self._resampler = None
        found: list[np.ndarray] = []
        while self._queued:
            found.append(self._run(min(_BLOCK, -(-self._queued // FRAME))))
        return found

    def _queue(self, samples: np.ndarray) -> None:
        self._waiting.append(samples)
        self._queued += len(samples)

    def _run(self, frames: int) -> np.ndarray:
        """The next ``frames`` frames."""
        queue = np.concatenate(self._waiting)
        part, rest = queue[: frames * FRAME], queue[frames * FRAME :]
        self._waiting, self._queued = [rest], len(rest)
        x_fn = np.zeros((frames, FRAME), np.float32)
        x_fn.reshape(-1)[: len(part)] = part
        context_fn = np.concatenate([self._context[None], x_fn[:-1, -_CONTEXT:]])
        self._context = x_fn[-1, -_CONTEXT:].copy()
        found, self._hidden, self._cell = self._session.run(
            ["speech_probs", "hn", "cn"],
            {"input": np.concatenate([context_fn, x_fn], axis=1), "h": self._hidden, "c": self._cell},
        )
        return np.asarray(found, np.float32).reshape(-1)


class SpeechDetector:
    """Frame probabilities of a stream of sound, then spans of speech.

    Give it every block in order with ``hear``, then ask for ``spans``. Per second of sound it keeps 31 numbers.
    ``live_speech.LiveSpeech`` tells the same spans while the sound goes on.

    Raises:
        AffuseError: Where silero-vad or onnxruntime is not installed.
    """

    def __init__(self, rate: int) -> None:
        """rate: of the sound, in Hz."""
        self._frames = SpeechFrames(rate, least=_BLOCK)
        self._found: list[np.ndarray] = []

    def hear(self, block: np.ndarray) -> None:
        """(time,) float32."""
        self._found += self._frames.hear(block)

    def spans(self) -> list[Span]:
        """Stretches of speech, in order; ends the stream."""
        from silero_vad import get_speech_timestamps_from_probs

        self._found += self._frames.end()
        if not self._found:
            return []
        seconds = self._frames.heard / self._frames.rate
        found = get_speech_timestamps_from_probs(
            np.concatenate(self._found).tolist(),
            sampling_rate=RATE,
            threshold=THRESHOLD,
            min_speech_duration_ms=LEAST_SPEECH_MS,
            min_silence_duration_ms=LEAST_PAUSE_MS,
            speech_pad_ms=PAD_MS,
            audio_length_samples=round(seconds * RATE),
        )
        return [Span(one["start"] / RATE, min(one["end"] / RATE, seconds)) for one in found]


def find_speech(blocks: Iterable[np.ndarray], rate: int) -> list[Span]:
    """Spans of speech in a whole stream of (time,) float32 blocks."""
    detector = SpeechDetector(rate)
    for block in blocks:
        detector.hear(block)
    return detector.spans()


def _session() -> Any:
    import torch

    spec = find_spec("silero_vad")
    if spec is None or spec.origin is None or find_spec("onnxruntime") is None:
        raise AffuseError(
            "Finding speech needs the packages silero-vad and onnxruntime: pip install silero-vad onnxruntime, "
            f"or take the whole clip as speech ({argument('vad', False)})."
        )
    threads = torch.get_num_threads()
    import silero_vad  # noqa: F401  # pyright: ignore[reportUnusedImport]  # importing it sets torch to one thread, for everybody

    torch.set_num_threads(threads)
    path = Path(spec.origin).parent / "data" / _MODEL
    if not path.is_file():
        raise AffuseError(f"This silero-vad has no {_MODEL}; pip install 'silero-vad>=6.2.3'.")
    return _loaded(str(path))


@cache
def _loaded(path: str) -> Any:
    """The network, which keeps nothing of the sound between two calls: all streams of a process share it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

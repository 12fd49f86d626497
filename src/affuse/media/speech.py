"""Where somebody speaks: Silero VAD, from the package ``silero-vad``, over a stream of sound."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soxr

from affuse.errors import AffuseError, argument

RATE = 16_000
_FRAME, _CONTEXT = 512, 64  # samples of a frame (32 ms), and of the one before that the network sees again
_BLOCK = 512  # frames of one call: 16.4 s
_MODEL = "silero_vad_16k_sequence.onnx"  # the released network, unrolled over a block of frames
# The package's own defaults, but for the pause: breath groups of one utterance stay together.
_THRESHOLD = 0.5
_LEAST_SPEECH_MS = 250
_LEAST_PAUSE_MS = 300
_PAD_MS = 30


class Span(NamedTuple):
    """Seconds."""

    start: float
    end: float


class SpeechDetector:
    """Frame probabilities of a stream of sound, then spans of speech.

    Give it every block in order with ``hear``, then ask for ``spans``. Per second of sound it keeps 31 numbers.

    Raises:
        AffuseError: Where silero-vad or onnxruntime is not installed.
    """

    def __init__(self, rate: int) -> None:
        """rate: of the sound, in Hz."""
        self._session = _session()
        self._resampler = None if rate == RATE else soxr.ResampleStream(rate, RATE, 1, dtype="float32")
        self._rate, self._heard = rate, 0
        self._waiting: list[np.ndarray] = []
        self._queued = 0
        self._context = np.zeros(_CONTEXT, np.float32)
        self._hidden = np.zeros((1, 1, 128), np.float32)
        self._cell = np.zeros((1, 1, 128), np.float32)
        self._found: list[np.ndarray] = []

    def hear(self, block: np.ndarray) -> None:
        """(time,) float32."""
        self._heard += len(block)
        self._queue(block if self._resampler is None else self._resampler.resample_chunk(block))

    def spans(self) -> list[Span]:
        """Stretches of speech, in order; ends the stream."""
        from silero_vad import get_speech_timestamps_from_probs

        if self._resampler is not None:
            self._queue(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
            self._resampler = None
        if self._queued:
            self._run(-(-self._queued // _FRAME))
        if not self._found:
            return []
        seconds = self._heard / self._rate
        found = get_speech_timestamps_from_probs(
            np.concatenate(self._found).tolist(),
            sampling_rate=RATE,
            threshold=_THRESHOLD,
            min_speech_duration_ms=_LEAST_SPEECH_MS,
            min_silence_duration_ms=_LEAST_PAUSE_MS,
            speech_pad_ms=_PAD_MS,
            audio_length_samples=round(seconds * RATE),
        )
        return [Span(one["start"] / RATE, min(one["end"] / RATE, seconds)) for one in found]

    def _queue(self, samples: np.ndarray) -> None:
        self._waiting.append(samples)
        self._queued += len(samples)
        while self._queued >= _BLOCK * _FRAME:
            self._run(_BLOCK)

    def _run(self, frames: int) -> None:
        """The next ``frames`` frames, the last one filled up with zeros at the end of the stream."""
        queue = np.concatenate(self._waiting)
        part, rest = queue[: frames * _FRAME], queue[frames * _FRAME :]
        self._waiting, self._queued = [rest], len(rest)
        x_fn = np.zeros((frames, _FRAME), np.float32)
        x_fn.reshape(-1)[: len(part)] = part
        context_fn = np.concatenate([self._context[None], x_fn[:-1, -_CONTEXT:]])
        self._context = x_fn[-1, -_CONTEXT:].copy()
        found, self._hidden, self._cell = self._session.run(
            ["speech_probs", "hn", "cn"],
            {"input": np.concatenate([context_fn, x_fn], axis=1), "h": self._hidden, "c": self._cell},
        )
        self._found.append(np.asarray(found, np.float32).reshape(-1))


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
    import onnxruntime

    threads = torch.get_num_threads()
    import silero_vad  # noqa: F401  # pyright: ignore[reportUnusedImport]  # importing it sets torch to one thread, for everybody

    torch.set_num_threads(threads)
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    path = Path(spec.origin).parent / "data" / _MODEL
    if not path.is_file():
        raise AffuseError(f"This silero-vad has no {_MODEL}; pip install 'silero-vad>=6.2.3'.")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

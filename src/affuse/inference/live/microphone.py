"""Sound from a microphone, by the package sounddevice (PortAudio): the one part of listening that needs a device."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from importlib import import_module
from types import TracebackType
from typing import Any, Self

import numpy as np

from affuse.errors import AffuseError, argument

_BLOCK = 0.02  # seconds
_WAITING = 3_000  # blocks: a minute, after which sound is lost rather than memory
_PATIENCE = 0.2  # seconds after which it is looked whether somebody has ended the listening


class Microphone:
    """Iterate over it, in a ``with`` block, for blocks of sound: (time,) float32, mono. It does not end by itself.

    Args:
        rate: In Hz.
        name: Number or part of the name of the input, as sounddevice lists them; None: the system's own.
        device: What opens it, in the place of the module ``sounddevice``: an object with ``InputStream``.

    Attributes:
        lost: Seconds of sound that came faster than it was taken; silence takes its place.

    Raises:
        AffuseError: sounddevice is not installed, or there is no such input.
    """

    def __init__(self, rate: int, name: str | None = None, device: Any = None) -> None:
        device = _sounddevice() if device is None else device
        self.rate = rate
        self._blocks: queue.Queue[np.ndarray] = queue.Queue(_WAITING)
        self._missing = 0  # samples that were lost since the last block that was kept
        self.lost = 0.0
        try:
            self._stream = device.InputStream(
                samplerate=rate,
                blocksize=round(rate * _BLOCK),
                device=int(name) if name is not None and name.isdecimal() else name,
                channels=1,
                dtype="float32",
                callback=self._take,
            )
        except Exception as error:  # PortAudioError, and ValueError for names that are none or several
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise AffuseError(
                f"The microphone cannot be opened ({reason}); see 'python -m sounddevice' for the inputs and their "
                f"rates, and choose by {argument('microphone')} and {argument('rate')}."
            ) from None

    def __enter__(self) -> Self:
        self._stream.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.stop()
        self._stream.close()

    def __iter__(self) -> Iterator[np.ndarray]:
        """Blocks, as they come."""
        while True:
            try:
                yield self._blocks.get(timeout=_PATIENCE)
            except queue.Empty:
                continue

    def _take(self, samples_tc: np.ndarray, count: int, time: object, status: object) -> None:
        """Called by PortAudio in a thread of its own, whose memory ``samples_tc`` is."""
        block = samples_tc[:, 0].copy()
        try:
            if self._missing:  # what comes later keeps its time
                self._blocks.put_nowait(np.zeros(self._missing, np.float32))
                self._missing = 0
            self._blocks.put_nowait(block)
        except queue.Full:
            self._missing += len(block)
            self.lost += len(block) / self.rate


def _sounddevice() -> Any:
    try:
        return import_module("sounddevice")
    except ImportError:
        raise AffuseError(
            "Listening needs the package sounddevice: pip install 'affuse[listen]'. Without it, pipe the sound: "
            "ffmpeg -f pulse -i default -f wav - | affuse predict - --live"
        ) from None
    except OSError:
        raise AffuseError(
            "sounddevice does not find the library PortAudio; install it (apt install libportaudio2), or pipe the "
            "sound: ffmpeg -f pulse -i default -f wav - | affuse predict - --live"
        ) from None

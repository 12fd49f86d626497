"""The sound of a file, or of a range of it, block by block: memory does not depend on its length."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from affuse.media.recording import Recording
from affuse.media.samples import Samples
from affuse.media.sound import Sound, bounds


class SoundStream:
    """Mono blocks of at most about a second: the samples of ``read_waveform``. Use it once.

    ``rate`` in Hz. Where the decoder loses packets, silence takes their place, so that what follows keeps its
    time; a bad sample (NaN, infinite) becomes 0. ``fault`` says so afterwards in one sentence, else it is "";
    ``remarks`` are sentences on what is particular about the sound that was read.
    Sound that begins later than its film has silence before it, without a word.

    Raises:
        ClipError: As ``read_waveform`` does, but not for silence; a missing ``channel`` is one too.
    """

    def __init__(
        self,
        path: str | Path | Samples,
        channel: int | None = None,
        track: int | None = None,
        start: float = 0.0,
        end: float | None = None,
    ) -> None:
        # start, end: seconds into the file; as with ``read_waveform``, only this part is decoded where that is possible
        self.path = path if isinstance(path, Samples) else Path(path)
        self._recording = Recording(self.path, channel, track, row=False)
        self.rate = self._recording.rate
        self._first, self._last = bounds(start, end, self.rate)
        self.position = self._first  # sample of the file that comes next
        self._bad = ""

    @property
    def fault(self) -> str:
        """What could not be read, in a sentence, or ``""``; known afterwards."""
        return self._bad or self._recording.fault

    @property
    def remarks(self) -> list[str]:
        """What is particular about the sound that was read."""
        return self._recording.remarks

    @property
    def silence(self) -> str:
        """See ``Recording.silence``."""
        return self._recording.silence

    def __iter__(self) -> Iterator[np.ndarray]:
        """(time,) float32, at the file's own rate."""
        with self._recording:
            for block in self._recording.blocks(self._first, self._last):
                bad = ~np.isfinite(block)
                if bad.any():
                    self._bad = self.fault or (
                        f"{self.path} has samples that are NaN or infinite from {self.position / self.rate:.2f} s on; "
                        "they count as silence."
                    )
                    block = np.where(bad, np.float32(0), block)
                self.position += len(block)
                yield np.ascontiguousarray(block, dtype=np.float32)


class SoundWindows:
    """Stretches of a stream, asked for in order of their starts; only what may still be asked for is kept."""

    def __init__(self, stream: SoundStream) -> None:
        self.stream = stream
        self._blocks = iter(stream)
        self._kept = np.zeros(0, np.float32)
        self._first = stream.position  # sample of the file that ``_kept`` begins with

    def read(self, start: float, end: float) -> Sound:
        """From ``start`` to ``end`` seconds, shorter at the end of the file (maybe empty)."""
        rate = self.stream.rate
        first, last = bounds(start, end, rate)
        assert last is not None
        if first < self._first:
            raise ValueError(f"{start:g} s was given up already; ask in order of the starts")
        parts, have = [self._kept], self._first + len(self._kept)
        while have < last:
            block = next(self._blocks, None)
            if block is None:
                break
            have += len(block)
            if have <= first:  # nothing of it will be asked for
                parts, self._first = [], have
                continue
            parts.append(block)
        kept = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        drop = min(max(0, first - self._first), len(kept))
        self._kept = kept[drop:].copy() if drop else kept
        self._first += drop
        kept = self._kept[: max(0, last - self._first)]
        return Sound(kept, rate, self._first, self.stream.path, self.stream.silence)

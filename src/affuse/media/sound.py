"""Samples that were decoded already: they stand for a file wherever a waveform is read from one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affuse.errors import ClipError
from affuse.media.samples import Samples


def bounds(start: float | None, end: float | None, rate: int) -> tuple[int, int | None]:
    """The samples of a range in seconds: from the first up to the last, which is left out; None: the file's end.

    One sample at least, however short the range is.
    """
    first = 0 if start is None else round(start * rate)
    return first, None if end is None else max(first + 1, round(end * rate))


class StreamName(str):
    """Stands for the path of sound that is in no file and no array, because it goes on."""

    __slots__ = ()


@dataclass(frozen=True)
class Sound:
    """A stretch of a file's sound. Seconds count as in the file: the first sample is number ``first`` of it.

    samples: (time,) float32, mono; rate in Hz; path: the file, or what stands for it, for messages; silence: see
    ``Recording.silence``.
    """

    samples: np.ndarray
    rate: int
    first: int
    path: Path | Samples | StreamName
    silence: str = ""

    def __str__(self) -> str:
        return str(self.path)

    def __fspath__(self) -> str:
        """For what opens the file itself, as it does in training; start and end then say which part."""
        if not isinstance(self.path, Path):
            raise ClipError(
                f"{self.path} is not a file, and an encoder of this model opens its file itself; write the samples to "
                "a file (for example by soundfile.write) and give its path."
            )
        return str(self.path)

    def cut(self, start: float | None, end: float | None) -> np.ndarray:
        """(time,) float32: what ``read_waveform`` would decode of the file before it resamples.

        Raises:
            ValueError: For a start before the stretch.
        """
        first, last = bounds(self.first / self.rate if start is None else start, end, self.rate)
        if first < self.first:
            raise ValueError(f"sample {first} lies before the stretch, which begins at {self.first}")
        return self.samples[first - self.first : None if last is None else last - self.first]

"""Samples that were decoded already: they stand for a file wherever a waveform is read from one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Sound:
    """A stretch of a file's sound. Seconds count as in the file: the first sample is number ``first`` of it.

    samples: (time,) float32, mono; rate in Hz; path: the file, for messages; silence: see ``Recording.silence``.
    """

    samples: np.ndarray
    rate: int
    first: int
    path: Path
    silence: str = ""

    def __str__(self) -> str:
        return str(self.path)

    def __fspath__(self) -> str:
        """For what opens the file itself, as it does in training; start and end then say which part."""
        return str(self.path)

    def cut(self, start: float | None, end: float | None) -> np.ndarray:
        """(time,) float32: what ``read_waveform`` would decode of the file before it resamples.

        Raises ValueError for a start before the stretch.
        """
        first = self.first if start is None else round(start * self.rate)
        last = self.first + len(self.samples)
        if end is not None:
            last = min(last, max(first + 1, round(end * self.rate)))
        if first < self.first:
            raise ValueError(f"sample {first} lies before the stretch, which begins at {self.first}")
        return self.samples[first - self.first : max(first, last) - self.first]

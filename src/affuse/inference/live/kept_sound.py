"""The sound of a stream that a window may still ask for."""

from __future__ import annotations

from collections import deque

import numpy as np


class KeptSound:
    """Blocks in a row; what nobody can ask for any more is given up."""

    def __init__(self) -> None:
        self.first = self.end = 0  # samples of the stream
        self._blocks: deque[np.ndarray] = deque()

    def add(self, block: np.ndarray) -> None:
        """(time,) float32, which nobody changes afterwards."""
        if len(block):
            self._blocks.append(block)
            self.end += len(block)

    def cut(self, first: int, last: int) -> np.ndarray:
        """Samples ``first`` up to ``last``, as a copy.

        Raises:
            ValueError: Some of them were given up, or are not there yet.
        """
        if first < self.first or last > self.end:
            raise ValueError(f"samples {first} to {last} of {self.first} to {self.end}")
        parts, at = [np.zeros(0, np.float32)], self.first
        for block in self._blocks:
            if at >= last:
                break
            parts.append(block[max(0, first - at) : last - at])
            at += len(block)
        return np.concatenate(parts)

    def give_up(self, first: int) -> None:
        """Whole blocks before sample ``first``."""
        while self._blocks and self.first + len(self._blocks[0]) <= first:
            self.first += len(self._blocks.popleft())

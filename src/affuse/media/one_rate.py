"""Stretches of sound at whatever rates, brought to one: a file may change its sampling rate on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import soxr


class Chunk(NamedTuple):
    """A stretch as it was decoded.

    position: of its first sample, in samples at the file's first rate, where the chunk's own may lie between two;
    samples_tc: (time, channels) float32; rate: of these samples in Hz; layout: FFmpeg's name of the channels' places
    """

    position: int | Fraction
    samples_tc: np.ndarray
    rate: int
    layout: str = ""


class Stretch(NamedTuple):
    """position: sample of the file at its first rate; mono: (time,) float32."""

    position: int
    mono: np.ndarray


def at_one_rate(parts: Iterable[tuple[Chunk, np.ndarray]], rate: int) -> Iterator[Stretch]:
    """parts: chunks in order, each with its mono mix.

    Chunks of another rate that follow each other are resampled as one stream, so that no seam is between them, and
    take the time that they have: to the sample, however often the rate changes.
    """
    run: _Run | None = None
    for chunk, mono in parts:
        if run is not None and not run.goes_on(chunk):
            yield run.end()
            run = None
        if chunk.rate == rate:
            yield Stretch(round(chunk.position), mono)
            continue
        if run is None:
            run = _Run(chunk, rate)
        yield run.take(mono)
    if run is not None:
        yield run.end()


class _Run:
    """Chunks of one rate without a gap."""

    def __init__(self, first: Chunk, rate: int) -> None:
        self._rate = first.rate
        self._ratio = Fraction(rate, first.rate)
        self._begin, self._heard, self._given = first.position, 0, 0
        self._stream = soxr.ResampleStream(first.rate, rate, 1, dtype="float32")

    def goes_on(self, chunk: Chunk) -> bool:
        return chunk.rate == self._rate and abs(chunk.position - self._end) < 1

    def take(self, mono: np.ndarray) -> Stretch:
        self._heard += len(mono)
        return self._give(self._stream.resample_chunk(np.ascontiguousarray(mono, np.float32)))

    def end(self) -> Stretch:
        last = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
        left = round(self._end) - round(self._begin) - self._given  # soxr may round the other way
        return self._give(np.pad(last[:left], (0, max(0, left - len(last)))) if left > 0 else last[:0])

    @property
    def _end(self) -> Fraction:
        return self._begin + self._heard * self._ratio

    def _give(self, mono: np.ndarray) -> Stretch:
        position = round(self._begin) + self._given
        self._given += len(mono)
        return Stretch(position, mono)

"""Fundamental frequency of speech by autocorrelation (Boersma, 1993), frame by frame, without a path search.

A frame's autocorrelation is divided by its window's, which undoes the window's taper; the lag of the highest
peak is the period, longer lags paying a little so that a period wins over its multiples.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from affuse.media.mel import HOP, RATE, WINDOW, frame_count

LOWEST, HIGHEST = 60.0, 500.0  # Hz: low male to excited female voices
VOICED_FROM = 0.45  # autocorrelation, of 1 for a perfectly periodic frame (Boersma's voicing threshold)
SILENT_BELOW = 0.03  # of the clip's peak (Boersma's silence threshold)
# Autocorrelation that an octave down must be better by. Boersma has 0.01 and a path search after it; frames
# judged alone need more, for at long lags the window's correction makes noise louder.
OCTAVE_COST = 0.03
LENGTH = 800  # samples: 50 ms, three periods of LOWEST
SHORTEST, LONGEST = int(RATE / HIGHEST), int(np.ceil(RATE / LOWEST))  # lags: 32 and 267 samples
FFT = 1080  # at least LENGTH + LONGEST + 1, so that the correlation does not wrap; a product of small primes
_FRAMES_AT_ONCE = 64  # as in media.mel


def track_pitch(waveform: np.ndarray) -> np.ndarray:
    """(samples,) at 16 kHz -> (frames, 2) float32, frame for frame that of ``media.mel.log_mel``.

    Column 0 is ln(F0 in Hz) where the frame is voiced and 0 where not; column 1 is the voicing, the height of
    the autocorrelation's peak, in [0, 1] (0 in frames quieter than 3 % of the clip's peak).
    """
    frames = frame_count(len(waveform))
    # each 50 ms frame lies around the middle of its 25 ms mel frame
    before = (LENGTH - WINDOW) // 2
    after = max(0, (frames - 1) * HOP + LENGTH - before - len(waveform))
    samples = np.pad(np.asarray(waveform, dtype=np.float32), (before, after))
    frames_tw = np.lib.stride_tricks.sliding_window_view(samples, LENGTH)[::HOP][:frames]
    loudest = float(np.abs(samples).max())
    result_t2 = np.zeros((frames, 2), np.float32)
    room = _Room(
        np.zeros((_FRAMES_AT_ONCE, FFT)),
        np.empty((_FRAMES_AT_ONCE, FFT // 2 + 1), np.complex128),
        np.zeros((_FRAMES_AT_ONCE, FFT // 2 + 1), np.complex128),
        np.empty((_FRAMES_AT_ONCE, FFT)),
    )
    for begin in range(0, frames, _FRAMES_AT_ONCE):
        block_tw = frames_tw[begin : begin + _FRAMES_AT_ONCE]
        centered_tw = block_tw - block_tw.mean(axis=1, keepdims=True)
        loud = np.flatnonzero(np.abs(centered_tw).max(axis=1) >= SILENT_BELOW * loudest)
        if len(loud):
            result_t2[begin + loud] = _track_block(centered_tw[loud], room)
    return result_t2


_Complex = np.ndarray[Any, np.dtype[np.complex128]]


class _Room(NamedTuple):
    """Arrays that every block is computed in: fresh pages would cost more than the arithmetic."""

    padded: np.ndarray  # zeros from LENGTH on
    spectrum: _Complex
    power: _Complex  # its imaginary part stays 0
    correlation: np.ndarray


def _track_block(centered_tw: np.ndarray, room: _Room) -> np.ndarray:
    frames = len(centered_tw)
    padded, spectrum, power = room.padded[:frames], room.spectrum[:frames], room.power[:frames]
    correlation_tl = room.correlation[:frames]
    window_w, window_correlation_l = autocorrelation_window()
    np.multiply(centered_tw, window_w, out=padded[:, :LENGTH])
    np.fft.rfft(padded, out=spectrum)
    np.square(spectrum.real, out=power.real)
    power.real += np.square(spectrum.imag, out=spectrum.imag)
    np.fft.irfft(power, FFT, out=correlation_tl)
    correlation_tl = correlation_tl[:, : LONGEST + 2]
    energy_t1 = np.maximum(correlation_tl[:, :1], 1e-12)
    correlation_tl /= energy_t1
    correlation_tl /= window_correlation_l

    rises = correlation_tl[:, SHORTEST : LONGEST + 1] > correlation_tl[:, SHORTEST - 1 : LONGEST]
    falls = correlation_tl[:, SHORTEST : LONGEST + 1] >= correlation_tl[:, SHORTEST + 1 : LONGEST + 2]
    # one lag in ten is a peak: what follows is done for those alone
    row, lag = np.nonzero(rises & falls)
    lag += SHORTEST
    left, middle, right = (correlation_tl[row, lag + step] for step in (-1, 0, 1))
    # the parabola through a peak and its neighbours tells its place and height to a fraction of a sample
    shift = 0.5 * (left - right) / (left - 2 * middle + right)
    height = middle - 0.25 * (left - right) * shift
    best = _highest(row, height - OCTAVE_COST * np.log2(lag * LOWEST / RATE))
    period, peak = np.ones(frames), np.zeros(frames)
    period[row[best]], peak[row[best]] = lag[best] + shift[best], height[best]
    voicing = np.clip(peak, 0.0, 1.0)
    log_f0 = np.where(voicing >= VOICED_FROM, np.log(RATE / period), 0.0)
    return np.stack([log_f0, voicing], axis=1)


def _highest(row: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The place of the highest score of each row, the first among equals; rows are in order."""
    if not len(row):
        return row
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    highest = np.repeat(np.maximum.reduceat(score, starts), np.diff(starts, append=len(row)))
    there = np.flatnonzero(score == highest)
    return there[np.unique(row[there], return_index=True)[1]]


@lru_cache(maxsize=1)
def autocorrelation_window() -> tuple[np.ndarray, np.ndarray]:
    """A Hann window and its own autocorrelation at lags 0..LONGEST + 1, that at lag 0 being 1."""
    window_w = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(LENGTH) + 0.5) / LENGTH)
    correlation = np.correlate(window_w, window_w, "full")[LENGTH - 1 : LENGTH + LONGEST + 1]
    return window_w, correlation / correlation[0]

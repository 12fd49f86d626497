"""Fundamental frequency of speech by autocorrelation (Boersma, 1993), frame by frame, without a path search.

A frame's autocorrelation is divided by its window's, which undoes the window's taper; the lag of the highest
peak is the period, longer lags paying a little so that a period wins over its multiples.
"""

from __future__ import annotations

from functools import lru_cache

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
_FRAMES_AT_ONCE = 128


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
    parts = [
        _track_block(frames_tw[begin : begin + _FRAMES_AT_ONCE], loudest)
        for begin in range(0, frames, _FRAMES_AT_ONCE)
    ]
    return np.concatenate(parts)


def _track_block(block_tw: np.ndarray, loudest: float) -> np.ndarray:
    centered_tw = block_tw - block_tw.mean(axis=1, keepdims=True)
    window_w, window_correlation_l = autocorrelation_window()
    padded = np.zeros((len(block_tw), FFT))
    np.multiply(centered_tw, window_w, out=padded[:, :LENGTH])
    spectrum = np.fft.rfft(padded)
    correlation_tl = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, FFT)[:, : LONGEST + 2]
    energy_t1 = np.maximum(correlation_tl[:, :1], 1e-12)
    correlation_tl = correlation_tl / energy_t1 / window_correlation_l

    lags = np.arange(SHORTEST, LONGEST + 1)
    left, middle, right = (correlation_tl[:, lags + shift] for shift in (-1, 0, 1))
    is_peak = (middle > left) & (middle >= right)
    # the parabola through a peak and its neighbours tells its place and height to a fraction of a sample
    shift = 0.5 * (left - right) / np.where(is_peak, left - 2 * middle + right, -1.0)
    height = middle - 0.25 * (left - right) * shift
    cost = OCTAVE_COST * np.log2(lags * LOWEST / RATE)
    best = np.argmax(np.where(is_peak, height - cost, -np.inf), axis=1)
    rows = np.arange(len(best))
    found = is_peak[rows, best]
    period = np.where(found, lags[best] + shift[rows, best], 1.0)
    height = np.where(found, height[rows, best], 0.0)
    loud = np.abs(centered_tw).max(axis=1) >= SILENT_BELOW * loudest
    voicing = np.where(loud, np.clip(height, 0.0, 1.0), 0.0)
    log_f0 = np.where(voicing >= VOICED_FROM, np.log(RATE / period), 0.0)
    return np.stack([log_f0, voicing], axis=1).astype(np.float32)


@lru_cache(maxsize=1)
def autocorrelation_window() -> tuple[np.ndarray, np.ndarray]:
    """A Hann window and its own autocorrelation at lags 0..LONGEST + 1, that at lag 0 being 1."""
    window_w = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(LENGTH) + 0.5) / LENGTH)
    correlation = np.correlate(window_w, window_w, "full")[LENGTH - 1 : LENGTH + LONGEST + 1]
    return window_w, correlation / correlation[0]

"""Log-mel spectrogram of 16 kHz audio, as VGGish defines it (Hershey et al., 2017; AudioSet's front end).

Frames of 25 ms every 10 ms, periodic Hann window, magnitude (not power) spectrum, triangular filters on the
HTK mel scale whose sides are straight in mel (not in hertz), natural logarithm of mel + 0.01.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

RATE = 16000  # Hz
WINDOW = 400  # samples: 25 ms
HOP = 160  # samples: 10 ms
FFT = 512  # the power of two at or above WINDOW
BINS = FFT // 2 + 1  # 257
LOG_OFFSET = 0.01
_FRAMES_AT_ONCE = 128  # a block stays in the processor's cache, and a long file needs no more memory


def hertz_to_mel(hertz: np.ndarray | float) -> np.ndarray:
    """HTK's scale: 1127 ln(1 + f / 700)."""
    return 1127.0 * np.log1p(np.asarray(hertz, dtype=np.float64) / 700.0)


@lru_cache(maxsize=8)
def mel_matrix(bands: int, low: float, high: float) -> np.ndarray:
    """(BINS, bands) float64 filter weights from ``low`` to ``high`` Hz; the row of the DC bin is zero."""
    bins_f1 = hertz_to_mel(np.arange(BINS) * RATE / FFT)[:, None]
    edges = np.linspace(hertz_to_mel(low), hertz_to_mel(high), bands + 2)
    lower, center, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins_f1 - lower) / (center - lower)
    falling = (upper - bins_f1) / (upper - center)
    weights_fm = np.maximum(0.0, np.minimum(rising, falling))
    weights_fm[0] = 0.0
    weights_fm.setflags(write=False)  # shared by every caller
    return weights_fm


def frame_count(samples: int) -> int:
    """Frames in so many samples; the incomplete one at the end does not count, but there is always one."""
    return 1 + max(0, samples - WINDOW) // HOP


def log_mel(waveform: np.ndarray, bands: int = 64, low: float = 125.0, high: float = 7500.0) -> np.ndarray:
    """(samples,) at 16 kHz -> (frames, bands) float32; less than one window is padded with zeros to one."""
    # float64 up to the magnitudes: beside a loud tone, float32's FFT is off by more than LOG_OFFSET forgives
    samples = np.asarray(waveform, dtype=np.float64)
    if len(samples) < WINDOW:
        samples = np.pad(samples, (0, WINDOW - len(samples)))
    frames_tw = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    filters_mf = _filters(bands, low, high)
    result_tm = np.empty((len(frames_tw), bands), np.float32)
    # Buffers are made once: for blocks this small, fresh pages cost as much as the arithmetic.
    padded = np.zeros((_FRAMES_AT_ONCE, FFT))
    spectrum = np.empty((_FRAMES_AT_ONCE, BINS), np.complex128)
    magnitudes = np.empty((_FRAMES_AT_ONCE, BINS), np.float32)
    for begin in range(0, len(frames_tw), _FRAMES_AT_ONCE):
        block_tw = frames_tw[begin : begin + _FRAMES_AT_ONCE]
        count = len(block_tw)
        np.multiply(block_tw, _hann(), out=padded[:count, :WINDOW])
        np.fft.rfft(padded[:count], out=spectrum[:count])
        np.abs(spectrum[:count], out=magnitudes[:count], casting="same_kind")
        result_tm[begin : begin + count] = (filters_mf @ magnitudes[:count].T).T
    result_tm += np.float32(LOG_OFFSET)
    np.log(result_tm, out=result_tm)
    return result_tm


@lru_cache(maxsize=8)
def _filters(bands: int, low: float, high: float) -> csr_array:
    # A bin is in two filters at most. Beside the saving, this leaves BLAS's threads out: they would wait for
    # one another on a machine whose cores decode other clips.
    return csr_array(mel_matrix(bands, low, high).T.astype(np.float32))


@lru_cache(maxsize=1)
def _hann() -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)  # periodic: the last sample is not 0

"""track_pitch on sounds whose fundamental frequency is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from affuse.media.mel import frame_count
from affuse.media.pitch import LOWEST, OCTAVE_COST, VOICED_FROM, track_pitch


def pulses(hertz: float, seconds: float = 1.0, low_pass: bool = True) -> np.ndarray:
    """Glottis-like: a pulse a period (harmonics up to 4 kHz, falling 6 dB an octave), phases as a pulse has."""
    time = np.arange(round(seconds * 16000)) / 16000
    harmonics = range(1, int(4000 / hertz) + 1)
    wave = sum(np.cos(2 * np.pi * hertz * k * time) / (k if low_pass else 1) for k in harmonics)
    return (0.5 * wave / np.abs(wave).max()).astype(np.float32)


def voiced_hertz(waveform: np.ndarray) -> np.ndarray:
    log_f0 = track_pitch(waveform)[3:-3, 0]  # frames that reach over the ends hold silence too
    assert (log_f0 > 0).all()
    return np.exp(log_f0)


@pytest.mark.parametrize("hertz", [75, 110.0, 123.4, 180, 220, 301.7, 440])
@pytest.mark.parametrize("kind", ["sine", "pulses", "flat pulses", "no fundamental", "noisy"])
def test_known_pitch_within_two_percent(hertz: float, kind: str) -> None:
    time = np.arange(16000) / 16000
    wave = {
        "sine": 0.3 * np.sin(2 * np.pi * hertz * time),
        "pulses": pulses(hertz),
        "flat pulses": pulses(hertz, low_pass=False),
        # as over a telephone: the period is heard though the fundamental is not there
        "no fundamental": sum(np.sin(2 * np.pi * hertz * k * time) for k in (2, 3, 4, 5)) / 5,
        "noisy": pulses(hertz) + np.random.default_rng(0).normal(0, 0.02, 16000),
    }[kind]
    found = voiced_hertz(wave.astype(np.float32))
    assert np.abs(found / hertz - 1).max() < 0.02
    assert np.median(np.abs(found / hertz - 1)) < 0.005


def test_a_glide_is_followed() -> None:
    time = np.arange(32000) / 16000
    instant = 100 * 2 ** (time / 2)  # an octave in two seconds
    phase = 2 * np.pi * np.cumsum(instant) / 16000
    wave = sum(np.sin(k * phase) / k for k in range(1, 9)) * 0.3
    found = voiced_hertz(wave.astype(np.float32))
    middles = (np.arange(len(found)) + 3) * 160 + 200
    assert np.abs(found / instant[middles] - 1).max() < 0.02


def test_noise_and_silence_are_unvoiced() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, 16000).astype(np.float32)
    assert (track_pitch(noise)[:, 0] > 0).mean() < 0.05
    quiet = np.concatenate([pulses(200), 0.001 * pulses(200)])  # a tail 54 dB down counts as silence
    found = track_pitch(quiet.astype(np.float32))
    assert (found[3:96, 0] > 0).all()
    assert not found[106:].any()
    assert not track_pitch(np.zeros(4000, np.float32)).any()
    assert not track_pitch(np.full(4000, 0.3, np.float32)).any()  # a constant is no sound


@pytest.mark.parametrize("samples", [1, 100, 400, 799, 800, 4321, 30_000])
def test_frames_are_those_of_log_mel(samples: int) -> None:
    found = track_pitch(np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32))
    assert found.shape == (frame_count(samples), 2)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert ((found[:, 1] >= 0) & (found[:, 1] <= 1)).all()
    assert ((found[:, 0] > 0) == (found[:, 1] >= VOICED_FROM)).all()


def test_one_frame_by_plain_loops() -> None:
    wave = (pulses(150, 0.05) + np.random.default_rng(1).normal(0, 0.05, 800)).astype(np.float32)
    x = wave.astype(np.float64) - wave.astype(np.float64).mean()
    w = [math.sin(math.pi * (i + 0.5) / 800) ** 2 for i in range(800)]

    def correlation(values: Any, lag: Any):
        return sum(values[i] * values[i + lag] for i in range(800 - lag))

    windowed = [a * b for a, b in zip(x, w, strict=True)]

    def normalised(lag: Any):
        own = correlation(windowed, lag) / correlation(windowed, 0)
        return own / (correlation(w, lag) / correlation(w, 0))

    r = {lag: normalised(lag) for lag in range(31, 269)}

    def peak(lag: Any):  # the vertex of the parabola through three points, by solving for its coefficients
        a, b, c = np.linalg.solve([[1, -1, 1], [0, 0, 1], [1, 1, 1]], [r[lag - 1], r[lag], r[lag + 1]])
        return lag - b / (2 * a), c - b * b / (4 * a)

    peaks = [lag for lag in range(32, 268) if r[lag] > r[lag - 1] and r[lag] >= r[lag + 1]]
    best = max(peaks, key=lambda lag: peak(lag)[1] - OCTAVE_COST * math.log2(lag * LOWEST / 16000))
    period, height = peak(best)
    # the frame of `track_pitch` that is exactly these 800 samples: 200 before a mel frame's 400
    longer = np.concatenate([np.zeros(160 * 5 - 200, np.float32), wave, np.zeros(2000, np.float32)])
    log_f0, voicing = track_pitch(longer)[5]
    assert log_f0 == pytest.approx(math.log(16000 / period), abs=1e-5)
    assert voicing == pytest.approx(min(1.0, height), abs=1e-5)


def test_a_frame_does_not_depend_on_those_it_is_computed_with() -> None:
    """Frames are taken in blocks, quiet ones left out: another beginning makes other blocks."""
    random = np.random.default_rng(0)
    parts = [
        pulses(180),
        0.002 * random.normal(size=9000),
        random.normal(0, 0.1, 7000),
        np.full(3000, 0.2),
        pulses(90),
    ]
    wave = np.concatenate(parts).astype(np.float32)
    found = track_pitch(wave)
    quiet = (found == 0).all(axis=1)
    assert 40 < quiet.sum() < len(found) - 100
    for begin in (1, 37, 64, 90):
        later = track_pitch(wave[begin * 160 :])
        assert np.array_equal(
            later[3:], found[begin + 3 :]
        )  # the first ones hold what is before the beginning

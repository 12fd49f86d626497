"""The log-mel front end against plain loops and against torchvggish 0.2."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from torchvggish import mel_features

from affuse.media import mel
from affuse.media.mel import frame_count, hertz_to_mel, log_mel, mel_matrix


def reference(waveform: np.ndarray, bands: int = 64, low: float = 125.0, high: float = 7500.0) -> np.ndarray:
    return mel_features.log_mel_spectrogram(
        waveform.astype(np.float64),
        audio_sample_rate=16000,
        log_offset=0.01,
        window_length_secs=0.025,
        hop_length_secs=0.010,
        num_mel_bins=bands,
        lower_edge_hertz=low,
        upper_edge_hertz=high,
    )


@pytest.mark.parametrize(
    ("bands", "low", "high"), [(64, 125.0, 7500.0), (40, 20.0, 8000.0), (5, 300.0, 900.0)]
)
def test_filters_by_plain_loops(bands: int, low: float, high: float) -> None:
    def to_mel(hertz: Any):
        return 2595.0 * math.log10(1 + hertz / 700.0)  # HTK's other form; its constant is rounded

    edges = [to_mel(low) + k * (to_mel(high) - to_mel(low)) / (bands + 1) for k in range(bands + 2)]
    weights = mel_matrix(bands, low, high)
    assert weights.shape == (257, bands)
    for f in range(257):
        place = to_mel(f * 16000 / 512)
        for m in range(bands):
            left, top, right = edges[m : m + 3]
            if f == 0 or not left < place < right:
                expected = 0.0
            elif place <= top:
                expected = (place - left) / (top - left)
            else:
                expected = (right - place) / (right - top)
            assert weights[f, m] == pytest.approx(expected, abs=1e-5)


def test_hertz_to_mel_at_known_places() -> None:
    assert hertz_to_mel(0.0) == 0.0
    assert hertz_to_mel(700.0) == pytest.approx(1127 * math.log(2))
    assert hertz_to_mel(1000.0) == pytest.approx(1000, abs=0.1)  # the scale's anchor


def test_one_frame_by_a_plain_fourier_sum() -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, 400)
    n = np.arange(400)
    windowed = samples * (0.5 - 0.5 * np.cos(2 * np.pi * n / 400))
    magnitudes = np.array([abs(np.sum(windowed * np.exp(-2j * np.pi * f * n / 512))) for f in range(257)])
    expected = np.log(magnitudes @ mel_matrix(64, 125.0, 7500.0) + 0.01)
    assert np.abs(log_mel(samples.astype(np.float32))[0] - expected).max() < 1e-5


@pytest.mark.parametrize("kind", ["noise", "quiet", "loud tone"])
def test_parity_with_torchvggish(kind: str) -> None:
    rng = np.random.default_rng(2)
    waveform = {
        "noise": rng.normal(0, 0.1, 72_803),
        "quiet": rng.normal(0, 1e-4, 20_000),
        "loud tone": 0.99
        * np.sin(2 * np.pi * 440 * np.arange(30_000) / 16000),  # empty bands beside full ones
    }[kind].astype(np.float32)
    ours, theirs = log_mel(waveform), reference(waveform)
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape == (frame_count(len(waveform)), 64)
    assert np.abs(ours - theirs).max() < 1e-5


def test_long_audio_is_the_same_across_block_borders(monkeypatch: pytest.MonkeyPatch) -> None:
    waveform = np.random.default_rng(3).normal(0, 0.1, 16000).astype(np.float32)
    whole = log_mel(waveform)
    monkeypatch.setattr(mel, "_FRAMES_AT_ONCE", 7)
    assert np.abs(log_mel(waveform) - whole).max() < 1e-6


@pytest.mark.parametrize("samples", [1, 399, 400, 559, 560, 15_600])
def test_frame_count(samples: int) -> None:
    waveform = np.full(samples, 0.1, np.float32)
    starts = [s for s in range(0, max(samples, 400), 160) if s + 400 <= max(samples, 400)]
    assert len(log_mel(waveform)) == frame_count(samples) == len(starts)


def test_less_than_a_window_is_padded_with_zeros() -> None:
    waveform = np.random.default_rng(4).normal(0, 0.1, 100).astype(np.float32)
    padded = np.concatenate([waveform, np.zeros(300, np.float32)])
    assert (log_mel(waveform) == log_mel(padded)).all()

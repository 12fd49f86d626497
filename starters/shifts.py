"""What differs from corpus to corpus, simulated: level, microphone, room, noise, and other vocal tracts.

Copies of the training clips are changed so, that a head learns nothing that such a change would take away; and clips of
held-out speakers, by other draws, that its confidence is about more than its own corpus.
"""

from __future__ import annotations

import numpy as np
import soxr
from scipy import signal

RATE = 16_000  # Hz


def shifted(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(samples,) float32 at 16 kHz -> the same speech elsewhere; each change with even odds, narrow bands less."""
    if rng.random() < 0.5:
        sound = other_tract(sound, rng)
    if rng.random() < 0.5:
        sound = waiting(sound, rng)
    if rng.random() < 0.5:
        sound = microphone(sound, rng)
    if rng.random() < 0.5:
        sound = room(sound, rng)
    if rng.random() < 0.5:
        sound = noise(sound, rng)
    if rng.random() < 1 / 3:
        sound = narrow(sound, rng)
    return level(sound, rng)


def other_tract(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Played 15 % slower to 18 % faster: pitch, formants and tempo move together."""
    return soxr.resample(sound, RATE, RATE * rng.uniform(0.85, 1.18)).astype(np.float32)


def waiting(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Up to a second of silence before and after, which other corpora leave or cut."""
    return np.pad(sound, rng.integers(0, RATE, 2))


def microphone(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A linear-phase filter: a tilt of up to 2 dB an octave and three bumps of up to 8 dB."""
    octaves = np.log2(np.maximum(np.fft.rfftfreq(2048, 1 / RATE), 60.0) / 1000)
    gain = rng.uniform(-2, 2) * octaves
    for _ in range(3):
        middle = np.log2(rng.uniform(100, 6000) / 1000)
        gain += rng.uniform(-8, 8) * np.exp(-0.5 * ((octaves - middle) / 0.6) ** 2)
    taps = np.fft.fftshift(np.fft.irfft(10 ** (gain / 20))) * np.hanning(2048)
    return signal.fftconvolve(sound, taps, "same").astype(np.float32)


def room(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exponentially decaying noise behind the direct sound: 0.2 to 0.7 s to -60 dB (Moorer 1979)."""
    samples = int(rng.uniform(0.2, 0.7) * RATE)
    tail = rng.standard_normal(samples) * np.exp(-np.log(1000) * np.arange(samples) / samples)
    tail *= rng.uniform(0.5, 1.5) / np.sqrt((tail**2).sum())
    tail[0] = 1.0
    return signal.fftconvolve(sound, tail)[: len(sound)].astype(np.float32)


def noise(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Low-pass noise, 5 to 25 dB below the speech."""
    poles = signal.butter(1, rng.uniform(300, 4000), fs=RATE, output="sos")
    hiss = signal.sosfilt(poles, rng.standard_normal(len(sound)))
    ratio = 10 ** (rng.uniform(5, 25) / 10)
    return (sound + hiss * np.sqrt((sound**2).mean() / (hiss**2).mean() / ratio)).astype(np.float32)


def narrow(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Nothing above 3 to 7 kHz, as codecs leave it; in one of three a telephone's 300 to 3400 Hz."""
    if rng.random() < 1 / 3:
        poles = signal.butter(4, [300, 3400], "band", fs=RATE, output="sos")
    else:
        poles = signal.butter(6, rng.uniform(3000, 7000), fs=RATE, output="sos")
    return signal.sosfilt(poles, sound).astype(np.float32)


def level(sound: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The peak at -30 to -1 dB of full scale."""
    return (sound * (10 ** (rng.uniform(-30, -1) / 20) / np.abs(sound).max())).astype(np.float32)

"""A source-filter voice: glottal pulses and breath through formants, with noise bursts for consonants.

The voice babbles: its syllables are drawn anew and are not those of the sentence, and how long an utterance
lasts does not depend on what it shows. So audio tells nothing about what the words show, and its ceiling is exact.

Shapes: n = samples at RATE.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

from affuse.corpora.generated.people import Room, Voice

RATE = 16_000  # Hz, as in the release's sentence wavs

# F1 to F4 of an adult man in Hz (after Peterson and Barney 1952; F4 rounded), and their bandwidths.
VOWELS = {
    "a": (730, 1090, 2440, 3400),
    "e": (530, 1840, 2480, 3500),
    "i": (270, 2290, 3010, 3600),
    "o": (570, 840, 2410, 3300),
    "u": (300, 870, 2240, 3300),
}
_BANDWIDTHS = (70.0, 100.0, 140.0, 200.0)
_ACTIVE_DBFS = -25.0  # level of a neutral utterance's syllables


@dataclass(frozen=True)
class Manner:
    """What an emotion does to a voice at rest."""

    f0: float  # factor on the voice's F0
    spread: float  # semitones: standard deviation of the syllables' accents
    slope: float  # semitones from the first to the last syllable
    rate: float  # syllables per second
    level: float  # dB
    cutoff: float  # Hz of the source's spectral tilt: bright when pressed, dark when lax
    breath: float  # added share of aspiration noise
    jitter: float  # cycle-to-cycle variation of the period, as a share
    open: float  # share of the cycle the glottis is open
    pauses: float  # probability of a pause after a syllable


MANNERS = {
    "neu": Manner(1.00, 1.3, -2.0, 4.1, 0.0, 1400, 0.00, 0.008, 0.60, 0.08),
    "hap": Manner(1.28, 3.2, 1.0, 4.8, 3.0, 2200, 0.02, 0.010, 0.62, 0.04),
    "exc": Manner(1.42, 4.2, 1.5, 5.4, 5.0, 3000, 0.02, 0.014, 0.60, 0.02),
    "ang": Manner(1.20, 2.2, -4.0, 5.0, 8.0, 9000, 0.00, 0.030, 0.45, 0.03),
    "sad": Manner(0.90, 0.6, -1.5, 2.9, -7.0, 700, 0.10, 0.012, 0.78, 0.25),
    "fru": Manner(1.06, 1.8, -3.5, 3.8, 4.0, 5000, 0.02, 0.024, 0.50, 0.14),
}


@dataclass(frozen=True)
class Syllable:
    """One vowel with the noise before it; samples."""

    start: int
    length: int
    vowel: str
    hiss: bool | None  # consonant: True s-like, False k-like, None none


def speak(voice: Voice, display: str, seconds: float, room: Room, rng: np.random.Generator) -> np.ndarray:
    """One utterance: (n,) float32 in [-1, 1], n = round(seconds * RATE)."""
    n = round(seconds * RATE)
    manner = MANNERS[display]
    syllables = _syllables(n, manner.rate * voice.rate, manner.pauses, rng)
    f0_n = _pitch(n, syllables, voice, manner, rng)
    flow_n, pulses_n = _glottis(f0_n, manner, rng)
    noise_n = rng.standard_normal(n, dtype=np.float32)
    breath = voice.breath + manner.breath
    source_n = np.asarray(lfilter(*_tilt(manner.cutoff), pulses_n)) + breath * noise_n * (0.3 + flow_n)
    sound_n = _vowels(source_n, syllables, voice.formants, rng) + _consonants(n, syllables, rng)
    loud = np.sqrt(np.mean(np.square(sound_n[np.abs(sound_n) > 0.02 * np.abs(sound_n).max()])))
    level = _ACTIVE_DBFS + voice.level + manner.level * voice.expressive + room.gain + rng.uniform(-1.5, 1.5)
    sound_n = sound_n * (10 ** (level / 20) / loud)
    return record(sound_n, room, rng)


def record(sound_n: np.ndarray, room: Room, rng: np.random.Generator) -> np.ndarray:
    """The sound in the room: reverberation added, noise added, clipped; (n,) float32."""
    tail = np.arange(round(room.decay * RATE)) / RATE
    echo = rng.standard_normal(len(tail)) * 10 ** (-3 * tail / room.decay)  # -60 dB after `decay` seconds
    echo *= room.wet / np.sqrt(np.sum(np.square(echo)))
    echo[0] += 1.0
    wet_n = fftconvolve(sound_n, echo)[: len(sound_n)]
    wet_n = wet_n + room_noise(len(sound_n), room, rng)
    return np.clip(wet_n, -0.99, 0.99).astype(np.float32)


def room_noise(n: int, room: Room, rng: np.random.Generator) -> np.ndarray:
    """The room's low hum and hiss: (n,)."""
    white = rng.standard_normal(n, dtype=np.float32)
    return (10 ** (room.noise / 20) * np.asarray(lfilter([0.6], [1.0, -0.8], white))).astype(np.float32)


def _syllables(n: int, rate: float, pauses: float, rng: np.random.Generator) -> list[Syllable]:
    """Syllables filling n samples but for short margins; faster speech has more of them."""
    found: list[Syllable] = []
    at, stop = round(rng.uniform(0.03, 0.08) * RATE), n - round(0.05 * RATE)
    while True:
        length = round(RATE / rate * float(np.exp(rng.normal(0.0, 0.15))))
        if at + length > stop and found:
            return found
        consonant = (True, False, None)[int(rng.integers(3))]
        vowel = "aeiou"[int(rng.integers(5))]
        found.append(Syllable(at, min(length, stop - at), vowel, consonant))
        at += length
        if rng.random() < pauses:
            at += round(rng.uniform(0.15, 0.35) * RATE)


def _pitch(
    n: int, syllables: list[Syllable], voice: Voice, manner: Manner, rng: np.random.Generator
) -> np.ndarray:
    """F0 in Hz: a line over the utterance plus one accent per syllable: (n,)."""
    centres = np.array([s.start + s.length / 2 for s in syllables])
    place = (centres - centres[0]) / max(centres[-1] - centres[0], 1.0) - 0.5
    semitones = place * manner.slope + rng.normal(0.0, manner.spread, len(syllables)) * voice.expressive
    line = np.interp(np.arange(n), centres, semitones)
    base = voice.f0 * (1 + (manner.f0 - 1) * voice.expressive) * float(np.exp(rng.normal(0.0, 0.03)))
    return np.clip(base * 2 ** (line / 12), 60.0, 520.0)


def _glottis(f0_n: np.ndarray, manner: Manner, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Glottal flow (Rosenberg's pulse: raised cosine up, quarter cosine down) and its derivative: two (n,).

    Each cycle has its own length (jitter) and height (shimmer).
    """
    cycle_n = np.floor(np.cumsum(f0_n) / RATE).astype(int)
    period = 1 + manner.jitter * rng.standard_normal(cycle_n[-1] + 2)
    phase_n = np.cumsum(f0_n * period[cycle_n]) / RATE
    cycle_n, within_n = np.floor(phase_n).astype(int), phase_n % 1.0
    height = 1 + 3 * manner.jitter * rng.standard_normal(cycle_n[-1] + 1)
    peak = 2 / 3 * manner.open
    rising, falling = (
        np.flatnonzero(within_n < peak),
        np.flatnonzero((within_n >= peak) & (within_n < manner.open)),
    )
    flow_n = np.zeros(len(within_n))
    flow_n[rising] = 0.5 * (1 - np.cos(np.pi * within_n[rising] / peak))
    flow_n[falling] = np.cos(np.pi / 2 * (within_n[falling] - peak) / (manner.open - peak))
    flow_n *= height[cycle_n]
    return flow_n, np.diff(flow_n, prepend=flow_n[:1]) * RATE / f0_n / 6


def _tilt(cutoff: float) -> tuple[list[float], list[float]]:
    """A one-pole lowpass: numerator, denominator."""
    pole = float(np.exp(-2 * np.pi * cutoff / RATE))
    return [1 - pole], [1.0, -pole]


def _formants(vowel: str, scale: float) -> np.ndarray:
    """Four two-pole resonators in cascade with unit gain at 0 Hz: second-order sections (4, 6)."""
    sections = []
    for frequency, width in zip(VOWELS[vowel], _BANDWIDTHS, strict=True):
        radius = np.exp(-np.pi * width / RATE)
        middle = -2 * radius * np.cos(2 * np.pi * min(frequency * scale, 0.47 * RATE) / RATE)
        sections.append([1 + middle + radius**2, 0, 0, 1, middle, radius**2])
    return np.array(sections)


def _vowels(
    source_n: np.ndarray, syllables: list[Syllable], scale: float, rng: np.random.Generator
) -> np.ndarray:
    """Each vowel's filter run over the whole source, heard only in its own syllables: (n,)."""
    heard = {vowel: np.zeros(len(source_n)) for vowel in sorted({s.vowel for s in syllables})}
    for s in syllables:
        shape = np.sin(np.pi * (np.arange(s.length) + 0.5) / s.length) ** 0.7
        heard[s.vowel][s.start : s.start + s.length] += shape * float(np.exp(rng.normal(0.0, 0.2)))
    total_n = np.zeros(len(source_n))
    for vowel, gain_n in heard.items():
        until = max(s.start + s.length for s in syllables if s.vowel == vowel)  # nothing is heard of it later
        total_n[:until] += np.asarray(sosfilt(_formants(vowel, scale), source_n[:until])) * gain_n[:until]
    return total_n


def _consonants(n: int, syllables: list[Syllable], rng: np.random.Generator) -> np.ndarray:
    """Noise bursts at the start of syllables, s-like (4 to 7 kHz) or k-like (1.5 to 3.5 kHz): (n,)."""
    total_n = np.zeros(n)
    for hiss, band, height in ((True, (4000, 7000), 0.25), (False, (1500, 3500), 0.4)):
        gain_n = np.zeros(n)
        until = 0
        for s in syllables:
            if s.hiss is hiss:
                length = min(round((0.08 if hiss else 0.03) * RATE), s.length, n - s.start)
                gain_n[s.start : s.start + length] += np.hanning(length + 2)[1:-1]
                until = s.start + length
        noise_n = rng.standard_normal(n)[:until]
        if until:
            total_n[:until] += height * np.asarray(sosfilt(_bandpass(*band), noise_n)) * gain_n[:until]
    return total_n


@cache
def _bandpass(low: float, high: float) -> np.ndarray:
    """From ``low`` to ``high`` Hz: second-order sections (2, 6)."""
    return np.asarray(butter(2, (low, high), "bandpass", fs=RATE, output="sos"))

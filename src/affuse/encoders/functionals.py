"""``functionals``: how a voice moves, in 95 numbers; nothing to train.

Corpora differ in level, microphone, room and speakers, and a head on statistics of plain log-mels learns those too.
What is computed here is relative: pitch to the recording's median, loudness to its median, spectra to their own mean,
as in cepstral mean normalisation (Atal 1974); silence around the speech does not count. Two things are not: the median
pitch and the mean cepstrum, without its level, which tell men from women, and the latter a tense voice from a soft one;
it is the only one that a microphone changes as a whole. Such functionals (statistics over a clip) are those of Eyben
et al. 2016 (eGeMAPS), in another choice.

Shapes: t frames of 10 ms, b bands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from affuse.corpora.corpus import Utterance
from affuse.encoders.base import Encoder, EncoderOptions, Reading
from affuse.errors import AffuseError, argument
from affuse.files import digest
from affuse.media.mel import HOP, RATE, log_mel
from affuse.media.pitch import track_pitch
from affuse.sequence import FeatureSequence, pad

BANDS, LOW, HIGH = 40, 100.0, 7500.0
# The peak that a recording is scaled to. The offset in log_mel's logarithm then hides what is about 40 dB below loud
# speech in every recording alike: breath and the room's noise.
PEAK = 0.25
_QUIET = (
    24.0  # dB below the loud frames (95th percentile of those that are no silence): silence between words
)
_FEW = 5  # frames, below which nothing is said of the voiced ones alone
_JUMP = 3.0  # semitones from frame to frame: an octave error of the pitch tracker, no movement of the voice
_SHORT = 3  # frames; a shorter voiced stretch is the tracker's error too
_CONTOUR = 8  # frames, from which a voiced stretch has a slope
_SMOOTH, _CEPSTRUM, _REGIONS = 20, 13, 5  # bands of a moving cepstrum, coefficients, regions of the spectrum
_MODULATION = ((0.5, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 16.0), (16.0, 25.0))  # Hz; syllables come at 3 to 8
_SYLLABLE = 13  # frames of the window that smooths loudness for its peaks

NAMES = (
    "pitch_median", "pitch_p10", "pitch_p25", "pitch_p75", "pitch_p90", "pitch_deviation",
    "pitch_change_mean", "pitch_change_deviation",
    "contour_slope", "contour_steepness", "contour_range", "contour_bend",
    "contour_medians_deviation", "contour_medians_step", "contour_medians_slope", "contour_end",
    "pitch_unsteady", "loudness_unsteady",
    "voiced_share", "voiced_stretches_per_second", "voiced_log_length_mean", "voiced_log_length_deviation",
    "peaks_per_second_of_speech", "peaks_per_second", "pause_share", "rise_p90", "fall_p90", "peaks_step",
    "loudness_p5", "loudness_p20", "loudness_p80", "loudness_p95", "loudness_deviation", "loudness_change",
    "loudness_active_deviation", *(f"modulation_{low:g}_{high:g}_hz" for low, high in _MODULATION),
    "voicing_mean", "voicing_deviation",
    *(f"cepstrum_{i}_mean" for i in range(1, _CEPSTRUM)),
    *(f"cepstrum_{i}_deviation" for i in range(1, _CEPSTRUM)),
    *(f"cepstrum_{i}_change" for i in range(1, _CEPSTRUM)),
    *(f"region_{i}_per_loudness" for i in range(_REGIONS)),
    *(f"region_{i}_voiced_minus_unvoiced" for i in range(_REGIONS)),
    "flux_p10", "flux_p50", "flux_p90", "flux_voiced_p10", "flux_voiced_p50", "flux_voiced_p90",
    "pitch_with_loudness",
)  # fmt: skip


class FunctionalsOptions(EncoderOptions):
    """``functionals`` has no options."""


class FunctionalsEncoder(Encoder[FunctionalsOptions]):
    """Functionals of pitch, loudness, rhythm and spectrum over a clip: audio -> (batch, 1, 95).

    ``NAMES`` are the columns. Pitch is in semitones (12 log2 of Hz), loudness in dB. But for the median pitch
    and the mean cepstrum, every column is relative to the clip itself.

    Args:
        options: ``FunctionalsOptions``.

    Examples:
        >>> encoder = FunctionalsEncoder(FunctionalsOptions())
        >>> time = np.arange(16_000) / 16_000
        >>> clip = encoder.from_samples(np.sin(2 * np.pi * 220 * time).astype(np.float32))
        >>> encoder(pad([clip])).values.shape
        torch.Size([1, 1, 95])
        >>> round(2 ** (float(encoder(pad([clip])).values[0, 0, NAMES.index("pitch_median")]) / 12))  # Hz
        220
    """

    Options = FunctionalsOptions
    kind = "audio"
    unscaled = True

    @classmethod
    @override
    def width_of(cls, options: FunctionalsOptions) -> int:
        return len(NAMES)

    @classmethod
    @override
    def reading_of(cls, options: FunctionalsOptions) -> Reading:
        bands = f"{BANDS} log-mels of {LOW:g} to {HIGH:g} Hz, the clip's peak at {PEAK}"
        return Reading(
            torch.float32, (BANDS + 2,), f"frame of 10 ms: {bands}; then ln F0 (0: unvoiced) and voicing"
        )

    @classmethod
    @override
    def check_exportable(cls, options: FunctionalsOptions) -> None:
        raise AffuseError(
            "The functionals encoder counts stretches of speech, for which ONNX has no form; export with "
            f"{argument('inputs', 'features')}."
        )

    @override
    def check_trainable(self) -> None:
        raise AffuseError("The functionals encoder has nothing to train; set its frozen: true.")

    @override
    def read(self, utterance: Utterance) -> Tensor | None:
        """(frames, 42) float32; None without audio. Raises ClipError (``read_waveform``)."""
        return None if utterance.audio is None else self.from_samples(utterance.waveform(RATE))

    def from_samples(self, waveform: np.ndarray) -> Tensor:
        """(samples,) float32 at 16 kHz -> what ``read`` gives."""
        peak = float(np.abs(waveform).max(initial=0.0))
        scaled = waveform * np.float32(PEAK / peak) if peak > 0 else waveform
        return torch.from_numpy(
            np.concatenate([log_mel(scaled, BANDS, LOW, HIGH), track_pitch(scaled)], axis=1)
        )

    @override
    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """(batch, frames, 42) -> (batch, 1, 95)."""
        found = [
            torch.from_numpy(functionals(values[mask].cpu().numpy()))[None] if bool(mask.any()) else None
            for values, mask in zip(clips.values, clips.mask, strict=True)
        ]
        if all(one is None for one in found):
            empty = clips.values.new_zeros(len(found), 1, len(NAMES))
            return FeatureSequence(empty, clips.mask.new_zeros(len(found), 1))
        return pad(found).to(clips.values.device)

    @property
    @override
    def reading_key(self) -> str:
        return digest("log-mel of a peak", str((PEAK, BANDS, LOW, HIGH)))


@dataclass(frozen=True)
class _Voice:
    """One clip, from the first frame of speech to the last: what every group of functionals starts from."""

    mels_tb: np.ndarray
    loudness_t: np.ndarray  # dB, not below that of silence
    semitones_t: np.ndarray
    voicing_t: np.ndarray
    active_t: np.ndarray  # louder than silence
    voiced_t: np.ndarray
    spoken_t: np.ndarray  # voiced; active where too few are voiced

    @classmethod
    def of(cls, frames: np.ndarray) -> _Voice:
        mels_tb, pitch_t = frames[:, :BANDS].astype(np.float64), frames[:, BANDS].astype(np.float64)
        loudness_t = 20 / np.log(10) * np.log(np.exp(mels_tb).sum(axis=1))  # mels are of magnitudes
        # of what is no silence: how long a recording goes on before and after is no trait of the voice
        quiet = np.percentile(loudness_t[loudness_t > loudness_t.max() - _QUIET], 95) - _QUIET
        speech = np.flatnonzero(loudness_t > quiet)
        part = slice(speech[0], speech[-1] + 1)
        active_t = loudness_t[part] > quiet
        voiced_t = active_t & (pitch_t[part] > 0)
        return cls(
            mels_tb[part],
            np.maximum(loudness_t[part], quiet),
            12 * pitch_t[part] / np.log(2),
            frames[part, BANDS + 1].astype(np.float64),
            active_t,
            voiced_t,
            voiced_t if voiced_t.sum() >= _FEW else active_t,
        )


def functionals(frames: np.ndarray) -> np.ndarray:
    """(frames, 42) log-mels, ln F0 and voicing of one clip -> (95,) float32, in the order of ``NAMES``."""
    voice = _Voice.of(frames)
    voicing = voice.voicing_t[voice.spoken_t]
    parts = [
        _pitch(voice),
        _contour(voice),
        _unsteady(voice),
        _rhythm(voice),
        _syllables(voice),
        _loudness(voice),
        [voicing.mean(), voicing.std()],
        _spectrum(voice),
        [_correlation(voice.semitones_t[voice.voiced_t], voice.loudness_t[voice.voiced_t])],
    ]
    return np.concatenate(parts).astype(np.float32)


def _pitch(voice: _Voice) -> np.ndarray:
    voiced_t = voice.voiced_t
    if voiced_t.sum() < _FEW:
        return np.zeros(8)
    voiced = voice.semitones_t[voiced_t]
    change = np.abs(np.diff(voice.semitones_t))[voiced_t[1:] & voiced_t[:-1]]
    change = change[change < _JUMP]
    spread = np.percentile(voiced, [10, 25, 75, 90]) - np.median(voiced)
    moved = [change.mean(), change.std()] if len(change) else [0.0, 0.0]
    return np.array([np.median(voiced), *_pressed([*spread, voiced.std(), *moved])])


def _contour(voice: _Voice) -> np.ndarray:
    """How pitch moves within voiced stretches (means over them), and from one to the next."""
    found, middles, medians = [], [], []
    for begin, end in _stretches(voice.voiced_t):
        if end - begin < _CONTOUR:
            continue
        semitones, seconds = voice.semitones_t[begin:end], np.arange(end - begin) * HOP / RATE
        slope = float(_slopes(seconds, semitones[:, None])[0])
        low, high = np.percentile(semitones, [5, 95])
        bend = (semitones - slope * seconds).std()
        found.append([slope, abs(slope), high - low, bend])
        middles.append((begin + end) / 2 * HOP / RATE)
        medians.append(np.median(semitones))
    if not found:
        return np.zeros(8)
    medians = np.array(medians)
    step = float(np.median(np.abs(np.diff(medians)))) if len(medians) > 1 else 0.0
    trend = float(_slopes(np.array(middles), medians[:, None])[0]) if len(medians) > 2 else 0.0
    end = medians[-1] - np.median(medians)
    return _pressed([*np.mean(found, axis=0), medians.std(), step, trend, end])


def _unsteady(voice: _Voice) -> np.ndarray:
    """Second differences of pitch and loudness in voiced frames: their third quartile."""
    voiced_t = voice.voiced_t
    inner_t = voiced_t[2:] & voiced_t[1:-1] & voiced_t[:-2]
    if not inner_t.any():
        return np.zeros(2)
    both = (voice.semitones_t, voice.loudness_t)
    return _pressed([np.percentile(np.abs(np.diff(x_t, 2))[inner_t], 75) for x_t in both])


def _pressed(values: Sequence[float]) -> np.ndarray:
    """sign(x) ln(1 + |x|): an octave error of the pitch tracker is no more than a wide movement of the voice."""
    x = np.array(values)
    return np.sign(x) * np.log1p(np.abs(x))


def _rhythm(voice: _Voice) -> np.ndarray:
    lengths = np.array([end - begin for begin, end in _stretches(voice.voiced_t) if end - begin >= _SHORT])
    seconds = voice.active_t.sum() * HOP / RATE
    logs = np.log(lengths) if len(lengths) else np.zeros(1)
    share = voice.voiced_t.sum() / voice.active_t.sum()
    return np.array([share, len(lengths) / seconds, logs.mean(), logs.std()])


def _syllables(voice: _Voice) -> np.ndarray:
    """Peaks of the smoothed loudness, which are about the syllables, and how it rises to them and falls."""
    window = np.hanning(_SYLLABLE + 2)[1:-1]
    padded = np.pad(voice.loudness_t, _SYLLABLE // 2, mode="edge")
    smooth_t = np.convolve(padded, window / window.sum(), "valid")
    middle = smooth_t[1:-1]
    peak_t = (middle > smooth_t[:-2]) & (middle >= smooth_t[2:]) & voice.active_t[1:-1]
    peaks = middle[peak_t]
    seconds = HOP / RATE * np.array([voice.active_t.sum(), len(voice.active_t)])
    slopes = np.diff(smooth_t)
    fall, rise = np.percentile(slopes, [10, 90]) if len(slopes) else (0.0, 0.0)
    step = np.abs(np.diff(peaks)).mean() if len(peaks) > 1 else 0.0
    return np.array([*(len(peaks) / seconds), 1 - voice.active_t.mean(), rise, -fall, step])


def _loudness(voice: _Voice) -> np.ndarray:
    spoken, active = voice.loudness_t[voice.spoken_t], voice.loudness_t[voice.active_t]
    change = np.abs(np.diff(active)).mean() if len(active) > 1 else 0.0
    spread = np.percentile(spoken, [5, 20, 80, 95]) - np.median(spoken)
    return np.array([*spread, spoken.std(), change, active.std(), *_modulation(voice.loudness_t)])


def _modulation(loudness_t: np.ndarray) -> list[float]:
    """How the movement of loudness is shared out over its rates, as logarithms of shares."""
    centred = (loudness_t - loudness_t.mean()) * np.hanning(len(loudness_t))
    points = 1 << max(9, (len(centred) - 1).bit_length())  # 512: 5 s in a step of 0.2 Hz; longer clips whole
    power = np.abs(np.fft.rfft(centred, points)) ** 2
    hertz = np.fft.rfftfreq(points, HOP / RATE)
    shares = [power[(hertz >= low) & (hertz < high)].sum() for low, high in _MODULATION]
    return [float(np.log(share / (sum(shares) + 1e-9) + 1e-3)) for share in shares]


def _spectrum(voice: _Voice) -> np.ndarray:
    smooth_tb = _grouped(voice.mels_tb, _SMOOTH)
    cepstrum_tc = (smooth_tb @ _cosines(_SMOOTH, _CEPSTRUM).T)[:, 1:]
    spoken_t, active_t = voice.spoken_t, voice.active_t
    change_tc = np.diff(cepstrum_tc, axis=0)[active_t[1:]]
    unvoiced_tb = smooth_tb[active_t & ~voice.voiced_t]
    voiced_b = smooth_tb[spoken_t].mean(axis=0)
    against_b = unvoiced_tb.mean(axis=0) if len(unvoiced_tb) > _SHORT else voiced_b
    return np.concatenate([
        voice.mels_tb[spoken_t].mean(axis=0) @ _cosines(BANDS, _CEPSTRUM)[1:].T,
        cepstrum_tc[spoken_t].std(axis=0),
        change_tc.std(axis=0) if len(change_tc) else np.zeros(_CEPSTRUM - 1),
        _slopes(voice.loudness_t[spoken_t], _grouped(smooth_tb[spoken_t], _REGIONS)),
        _grouped((voiced_b - against_b)[None], _REGIONS)[0],
        *(_flux(smooth_tb, those_t) for those_t in (active_t, voice.voiced_t)),
    ])  # fmt: skip


def _flux(smooth_tb: np.ndarray, those_t: np.ndarray) -> np.ndarray:
    """Percentiles of the mean change of the spectrum's shape from frame to frame, where both frames are of those."""
    shape_tb = smooth_tb - smooth_tb.mean(axis=1, keepdims=True)
    change_t = np.abs(np.diff(shape_tb, axis=0)).mean(axis=1)[those_t[1:] & those_t[:-1]]
    return np.percentile(change_t, [10, 50, 90]) if len(change_t) else np.zeros(3)


def _stretches(those_t: np.ndarray) -> list[tuple[int, int]]:
    """Begin and end of every run of True."""
    edges = np.diff(np.concatenate([[0], those_t.astype(int), [0]]))
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))


def _slopes(x_t: np.ndarray, y_tr: np.ndarray) -> np.ndarray:
    """Least-squares slope of every column of y over x; 0 where x does not move."""
    x_t = x_t - x_t.mean()
    squares = (x_t**2).sum()
    if squares <= 1e-6 * len(x_t):
        return np.zeros(y_tr.shape[1])
    return x_t @ (y_tr - y_tr.mean(axis=0)) / squares


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    if len(x) <= _FEW or x.std() < 1e-6 or y.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def _grouped(x_tb: np.ndarray, groups: int) -> np.ndarray:
    """Means over neighbouring bands: (t, b) -> (t, groups)."""
    return np.stack([part.mean(axis=1) for part in np.array_split(x_tb, groups, axis=1)], axis=1)


def _cosines(bands: int, coefficients: int) -> np.ndarray:
    """(coefficients, bands) of the orthonormal DCT-II; row 0, the level, lacks its factor and is not used."""
    angles = np.arange(coefficients)[:, None] * (np.arange(bands)[None] + 0.5) / bands
    return np.sqrt(2 / bands) * np.cos(np.pi * angles)

"""``functionals``: how a voice moves, in 74 numbers that level and microphone hardly change; nothing to train.

Corpora differ in level, microphone, room and speakers, and a head on statistics of plain log-mels learns those too.
What is computed here is relative: pitch to the recording's median, loudness to its median, spectra to their own mean,
as in cepstral mean normalisation (Atal 1974). Such functionals (statistics over a clip) of pitch, loudness and
cepstrum are those of Eyben et al. 2016 (eGeMAPS), in another choice.

Shapes: t frames of 10 ms, b bands.
"""

from __future__ import annotations

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
_SMOOTH, _CEPSTRUM, _REGIONS = (
    20,
    13,
    5,
)  # bands before the cepstrum, its coefficients, regions of the spectrum
_MODULATION = ((0.5, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 16.0), (16.0, 25.0))  # Hz; syllables come at 3 to 8

NAMES = (
    "pitch_median", "pitch_p10", "pitch_p25", "pitch_p75", "pitch_p90", "pitch_deviation",
    "pitch_change_mean", "pitch_change_deviation",
    "voiced_share", "voiced_stretches_per_second", "voiced_log_length_mean", "voiced_log_length_deviation",
    "active_share",
    "loudness_p5", "loudness_p20", "loudness_p80", "loudness_p95", "loudness_deviation", "loudness_change",
    "loudness_active_deviation", *(f"modulation_{low:g}_{high:g}_hz" for low, high in _MODULATION),
    "voicing_mean", "voicing_deviation",
    *(f"cepstrum_{i}_deviation" for i in range(1, _CEPSTRUM)),
    *(f"cepstrum_{i}_change" for i in range(1, _CEPSTRUM)),
    *(f"cepstrum_{i}_loud_minus_soft" for i in range(1, _CEPSTRUM)),
    *(f"region_{i}_per_loudness" for i in range(_REGIONS)),
    *(f"region_{i}_voiced_minus_unvoiced" for i in range(_REGIONS)),
    "pitch_with_loudness",
)  # fmt: skip


class FunctionalsOptions(EncoderOptions):
    """``functionals`` has no options."""


class FunctionalsEncoder(Encoder[FunctionalsOptions]):
    """Functionals of pitch, loudness, rhythm and spectrum over a clip: audio -> (batch, 1, 74).

    ``NAMES`` are the columns. Pitch is in semitones (12 log2 of Hz), loudness in dB. But for the median pitch, every
    column is relative to the clip itself.

    Args:
        options: ``FunctionalsOptions``.

    Examples:
        >>> encoder = FunctionalsEncoder(FunctionalsOptions())
        >>> time = np.arange(16_000) / 16_000
        >>> clip = encoder.from_samples(np.sin(2 * np.pi * 220 * time).astype(np.float32))
        >>> encoder(pad([clip])).values.shape
        torch.Size([1, 1, 74])
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
        """(batch, frames, 42) -> (batch, 1, 74)."""
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


def functionals(frames: np.ndarray) -> np.ndarray:
    """(frames, 42) log-mels, ln F0 and voicing of one clip -> (74,) float32, in the order of ``NAMES``."""
    mels_tb, pitch_t, voicing_t = frames[:, :BANDS].astype(np.float64), frames[:, BANDS], frames[:, BANDS + 1]
    loudness_t = 20 / np.log(10) * np.log(np.exp(mels_tb).sum(axis=1))
    near = loudness_t[loudness_t > loudness_t.max() - _QUIET]  # so that silence around does not count
    active_t = loudness_t > np.percentile(near, 95) - _QUIET
    spoken = np.flatnonzero(
        active_t
    )  # how long a recording goes on before and after is no trait of the voice
    inside = slice(int(spoken[0]), int(spoken[-1]) + 1)
    mels_tb, pitch_t, voicing_t = mels_tb[inside], pitch_t[inside], voicing_t[inside]
    loudness_t, active_t = loudness_t[inside], active_t[inside]
    voiced_t = active_t & (pitch_t > 0)
    spoken_t = voiced_t if voiced_t.sum() >= _FEW else active_t
    semitones_t = 12 * pitch_t.astype(np.float64) / np.log(2)
    parts = [
        _pitch(semitones_t, voiced_t),
        _rhythm(voiced_t, active_t),
        _loudness(loudness_t, spoken_t, active_t),
        [voicing_t[spoken_t].mean(), voicing_t[spoken_t].std()],
        _spectrum(mels_tb, loudness_t, spoken_t, active_t, active_t & (pitch_t <= 0)),
        [_correlation(semitones_t[voiced_t], loudness_t[voiced_t])],
    ]
    return np.concatenate(parts).astype(np.float32)


def _pitch(semitones_t: np.ndarray, voiced_t: np.ndarray) -> np.ndarray:
    if voiced_t.sum() < _FEW:
        return np.zeros(8)
    voiced = semitones_t[voiced_t]
    change = np.abs(np.diff(semitones_t))[voiced_t[1:] & voiced_t[:-1]]
    change = change[change < _JUMP]
    spread = np.percentile(voiced, [10, 25, 75, 90]) - np.median(voiced)
    moved = [change.mean(), change.std()] if len(change) else [0.0, 0.0]
    return np.array([np.median(voiced), *spread, voiced.std(), *moved])


def _rhythm(voiced_t: np.ndarray, active_t: np.ndarray) -> np.ndarray:
    edges = np.diff(np.concatenate([[0], voiced_t.astype(int), [0]]))
    lengths = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
    lengths = lengths[lengths >= _SHORT]
    if not len(lengths):
        lengths = np.ones(1)
    seconds = active_t.sum() * HOP / RATE
    return np.array([
        voiced_t.sum() / active_t.sum(),
        len(lengths) / seconds,
        np.log(lengths.mean()),
        np.log(lengths).std(),
        active_t.mean(),
    ])  # fmt: skip


def _loudness(loudness_t: np.ndarray, spoken_t: np.ndarray, active_t: np.ndarray) -> np.ndarray:
    spoken = loudness_t[spoken_t] - np.median(loudness_t[spoken_t])
    active = loudness_t[active_t]
    change = np.abs(np.diff(active)).mean() if len(active) > 1 else 0.0
    spread = np.percentile(spoken, [5, 20, 80, 95])
    return np.array([*spread, spoken.std(), change, active.std(), *_modulation(loudness_t)])


def _modulation(loudness_t: np.ndarray) -> list[float]:
    """How the movement of loudness is shared out over its rates, as logarithms of shares."""
    centred = (loudness_t - loudness_t.mean()) * np.hanning(len(loudness_t))
    points = 1 << max(9, (len(centred) - 1).bit_length())  # 512: 5 s in a step of 0.2 Hz; longer clips whole
    power = np.abs(np.fft.rfft(centred, points)) ** 2
    hertz = np.fft.rfftfreq(points, HOP / RATE)
    shares = [power[(hertz >= low) & (hertz < high)].sum() for low, high in _MODULATION]
    return [float(np.log(share / (sum(shares) + 1e-9) + 1e-3)) for share in shares]


def _spectrum(
    mels_tb: np.ndarray,
    loudness_t: np.ndarray,
    spoken_t: np.ndarray,
    active_t: np.ndarray,
    unvoiced_t: np.ndarray,
) -> np.ndarray:
    smooth_tb = _grouped(mels_tb, _SMOOTH)
    cepstrum_tc = smooth_tb @ _cosines(_SMOOTH, _CEPSTRUM).T
    spoken_tc, loud_t = cepstrum_tc[spoken_t, 1:], loudness_t[spoken_t]
    change_tc = np.diff(cepstrum_tc[:, 1:], axis=0)[active_t[1:]]
    loud = loud_t >= np.percentile(loud_t, 60)
    soft = loud_t <= np.percentile(loud_t, 40)
    voiced_b, other_b = smooth_tb[spoken_t].mean(axis=0), smooth_tb[unvoiced_t]
    against_b = other_b.mean(axis=0) if len(other_b) > _SHORT else voiced_b
    return np.concatenate([
        spoken_tc.std(axis=0),
        change_tc.std(axis=0) if len(change_tc) else np.zeros(_CEPSTRUM - 1),
        spoken_tc[loud].mean(axis=0) - spoken_tc[soft].mean(axis=0),
        _slopes(loud_t, _grouped(smooth_tb[spoken_t], _REGIONS)),
        _grouped((voiced_b - against_b)[None], _REGIONS)[0],
    ])  # fmt: skip


def _slopes(x_t: np.ndarray, y_tr: np.ndarray) -> np.ndarray:
    """Least-squares slope of every column of y over x; 0 where x does not move."""
    x_t = x_t - x_t.mean()
    squares = (x_t**2).sum()
    return (
        x_t @ (y_tr - y_tr.mean(axis=0)) / squares if squares > 1e-6 * len(x_t) else np.zeros(y_tr.shape[1])
    )


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

"""``logmel``: log-mels and pitch, as statistics that learn nothing or through a small CNN that learns it all.

Shapes: b batch, t frames of 10 ms, s steps, n frames per step, c columns of a frame.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from affuse.corpora.corpus import Utterance
from affuse.encoders.base import Encoder, EncoderOptions, Reading
from affuse.encoders.sound_frames import SAMPLE, LogMelFrames, PitchFrames, frame_mask
from affuse.errors import AffuseError
from affuse.files import digest
from affuse.media.mel import HOP, RATE, log_mel
from affuse.media.pitch import track_pitch
from affuse.sequence import FeatureSequence

_BAND_STATISTICS = 5
_PITCH_STATISTICS = 6


class LogMelOptions(EncoderOptions):
    """Options of ``logmel``."""

    network: Literal["statistics", "cnn"] = Field(
        default="statistics", description="learning-free statistics over time, or a small CNN to train"
    )
    bands: int = Field(default=64, ge=1, le=128, description="mel bands")
    low: float = Field(default=125.0, ge=0, description="Hz, where the lowest band begins")
    high: float = Field(default=7500.0, le=RATE / 2, description="Hz, where the highest band ends")
    pitch: bool = Field(default=True, description="add log-F0 and voicing to every frame")
    seconds: float | None = Field(
        default=None, ge=0.1, description="statistics: seconds per step; null: the whole clip is one step"
    )
    width: int = Field(default=128, ge=1, description="cnn: size of a step")

    @model_validator(mode="after")
    def _ordered(self) -> LogMelOptions:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g} Hz) must be below high ({self.high:g} Hz)")
        return self


class LogMelEncoder(Encoder[LogMelOptions]):
    """Log-mels as VGGish defines them, and pitch: audio -> (batch, steps, width).

    statistics: per step, of every band: mean, standard deviation, minimum, maximum, and the standard deviation
        of the change from frame to frame; with pitch, also of ln F0 in voiced frames: mean, standard deviation,
        minimum, maximum (0 where none is voiced), then the share of voiced frames and the mean voicing.
        Width 5 x bands (+ 6).
    cnn: three convolutions over time, a step every 80 ms.

    Args:
        options: ``LogMelOptions``.

    Examples:
        >>> import numpy as np
        >>> from affuse.sequence import pad
        >>> encoder = LogMelEncoder(LogMelOptions(bands=40))
        >>> clip = encoder.from_samples(np.zeros(16_000, np.float32))  # 1 s: frames of 10 ms, 40 bands and pitch
        >>> clip.shape, encoder(pad([clip])).values.shape
        (torch.Size([98, 42]), torch.Size([1, 1, 206]))
    """

    Options = LogMelOptions
    kind = "audio"
    unscaled = True

    def __init__(self, options: LogMelOptions) -> None:
        super().__init__(options)
        if options.network == "cnn":
            self.network = FrameNetwork(options.bands + 2 * options.pitch, options.width)

    @classmethod
    @override
    def width_of(cls, options: LogMelOptions) -> int:
        if options.network == "cnn":
            return options.width
        return _BAND_STATISTICS * options.bands + _PITCH_STATISTICS * options.pitch

    @override
    def check_trainable(self) -> None:
        if self.options.network == "statistics":
            raise AffuseError(
                "The logmel encoder's statistics have nothing to train; set its frozen: true, or network: cnn."
            )

    @classmethod
    @override
    def reading_of(cls, options: LogMelOptions) -> Reading:
        pitch = ", then ln F0 (0: unvoiced) and voicing" if options.pitch else ""
        columns = options.bands + 2 * options.pitch
        bands = f"{options.bands} log-mels of {options.low:g} to {options.high:g} Hz"
        return Reading(torch.float32, (columns,), f"frame of 10 ms: {bands}{pitch}")

    @classmethod
    @override
    def exported_reading_of(cls, options: LogMelOptions) -> Reading:
        return Reading(torch.float32, (), SAMPLE)

    @override
    def exportable(self) -> nn.Module:
        return LogMelOfSound(self)

    def read(self, utterance: Utterance) -> Tensor | None:
        """(frames, bands) float32 log-mels, with pitch (frames, bands + 2): then ln F0 (0: unvoiced), voicing.

        None without audio. Raises ClipError (``read_waveform``).
        """
        if utterance.audio is None:
            return None
        waveform = utterance.waveform(RATE)
        return self.from_samples(waveform)

    def from_samples(self, waveform: np.ndarray) -> Tensor:
        """(samples,) float32 at 16 kHz -> what ``read`` gives."""
        frames_tc = log_mel(waveform, self.options.bands, self.options.low, self.options.high)
        if self.options.pitch:
            frames_tc = np.concatenate([frames_tc, track_pitch(waveform)], axis=1)
        return torch.from_numpy(frames_tc)

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """(batch, frames, bands (+ 2)) -> (batch, steps, width)."""
        if self.options.network == "cnn":
            return self.network(clips)
        seconds = self.options.seconds
        frames = clips.mask.shape[1] if seconds is None else round(seconds * RATE / HOP)
        return summarise(clips, frames, self.options.bands)

    @property
    @override
    def reading_key(self) -> str:
        chosen = self.options
        return digest("log-mel", str((chosen.bands, chosen.low, chosen.high, chosen.pitch)))

    @property
    @override
    def features_key(self) -> str:
        return digest(super().features_key, str((self.options.network, self.options.seconds)))


class LogMelOfSound(nn.Module):
    """The encoder from samples on, for an ONNX file: (batch, samples) -> (batch, steps, width)."""

    def __init__(self, encoder: LogMelEncoder) -> None:
        super().__init__()
        options = encoder.options
        self.encoder = encoder
        self.mel = LogMelFrames(options.bands, options.low, options.high)
        self.pitch = PitchFrames() if options.pitch else None

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """What ``LogMelEncoder`` gives for the same samples."""
        frames_btc = self.mel(clips.values)
        if self.pitch is not None:
            frames_btc = torch.cat([frames_btc, self.pitch(clips.values)], dim=2)
        mask_bt = frame_mask(clips.mask, frames_btc.shape[1])
        return self.encoder(FeatureSequence(frames_btc * mask_bt[..., None], mask_bt))


def summarise(clips: FeatureSequence, frames: int, bands: int) -> FeatureSequence:
    """(b, t, bands) or (b, t, bands + 2) -> (b, s, statistics), ``frames`` to a step; the last may have fewer.

    The statistics are those of ``LogMelEncoder``; standard deviations divide by the count.
    """
    values_btc = clips.values * clips.mask[..., None]
    change_btc = F.pad(values_btc[:, 1:, :bands] - values_btc[:, :-1, :bands], (0, 0, 1, 0))
    changed_bt = F.pad(clips.mask[:, 1:] & clips.mask[:, :-1], (1, 0))
    mask_bsn = _chunks(clips.mask, frames)
    bands_bsnc = _chunks(values_btc[..., :bands], frames)
    parts = [
        *_moments(bands_bsnc, mask_bsn),
        *_extremes(bands_bsnc, mask_bsn),
        _moments(_chunks(change_btc, frames), _chunks(changed_bt, frames))[1],
    ]
    if values_btc.shape[-1] > bands:
        pitch_bsnc = _chunks(values_btc[..., bands:], frames)
        log_f0_bsnc, voicing_bsnc = pitch_bsnc[..., :1], pitch_bsnc[..., 1:]
        voiced_bsn = mask_bsn & (log_f0_bsnc[..., 0] > 0)
        share = _moments(voiced_bsn[..., None].to(values_btc.dtype), mask_bsn)[0]
        parts += [
            *_moments(log_f0_bsnc, voiced_bsn),
            *_extremes(log_f0_bsnc, voiced_bsn),
            share,
            _moments(voicing_bsnc, mask_bsn)[0],
        ]
    return FeatureSequence(torch.cat(parts, dim=-1), mask_bsn.any(dim=-1))


def _chunks(x: Tensor, frames: int) -> Tensor:
    """(b, t, ...) -> (b, s, n, ...), the end filled with zeros."""
    missing = -x.shape[1] % frames
    if torch.compiler.is_exporting() or missing:  # no choice by length in an exported network
        x = torch.cat([x, x.new_zeros((x.shape[0], missing, *x.shape[2:]))], dim=1)
    return x.unflatten(1, (-1, frames))


def _moments(values_bsnc: Tensor, mask_bsn: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over n where the mask is True; 0 where it never is."""
    mask = mask_bsn[..., None]
    count = mask.sum(dim=2).clamp(min=1)
    mean_bsc = (values_bsnc * mask).sum(dim=2) / count
    squares = ((values_bsnc - mean_bsc[:, :, None]) * mask).square()
    return mean_bsc, (squares.sum(dim=2) / count).sqrt()


def _extremes(values_bsnc: Tensor, mask_bsn: Tensor) -> tuple[Tensor, Tensor]:
    """Minimum and maximum over n where the mask is True; 0 where it never is."""
    mask = mask_bsn[..., None]
    some = mask.any(dim=2)
    low = values_bsnc.masked_fill(~mask, float("inf")).amin(dim=2)
    high = values_bsnc.masked_fill(~mask, -float("inf")).amax(dim=2)
    return torch.where(some, low, 0.0), torch.where(some, high, 0.0)


class FrameNetwork(nn.Module):
    """(b, t, columns) -> (b, ceil(t / 8), width): three convolutions over 5 frames, each halving the rate.

    Padding is set to zero before each convolution, as a clip's own surroundings are, and each frame is
    normalised by itself; so a batch equals its clips one by one.
    """

    def __init__(self, columns: int, width: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv1d(size, width, kernel_size=5, stride=2, padding=2) for size in (columns, width, width)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in self.convolutions)

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """A batch of frames to steps of 80 ms."""
        values_btc, mask_bt = clips
        values_btc = values_btc * mask_bt[..., None]
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            values_btc = convolution(values_btc.transpose(1, 2)).transpose(1, 2)
            mask_bt = mask_bt[:, ::2]  # step i is centered on frame 2 i
            values_btc = F.gelu(norm(values_btc)) * mask_bt[..., None]
        return FeatureSequence(values_btc, mask_bt)

"""The waveform encoder: two convolutions on raw sound, one of 5 ms and one of half a second.

Chae et al., "End-to-end multimodal emotion and gender recognition with dynamic joint loss weights" (2018),
section II-A; with their defaults: 640 samples of 16 kHz a frame, 25 frames a second, 1280 features a frame.

Shape letters: b clips, c filters, g groups of filters, l samples, t steps (pooled samples), f frames.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from affuse.corpora.corpus import Utterance
from affuse.encoders.base import Encoder, EncoderOptions, Reading
from affuse.encoders.long_conv import LongConv1d
from affuse.encoders.pooled_conv import pooled_conv1d
from affuse.errors import ClipError
from affuse.sequence import FeatureSequence


class WaveformOptions(EncoderOptions):
    """The defaults are the paper's; a small machine takes fewer filters and shorter kernels."""

    activation: Literal["none", "relu"] = Field(
        default="none", description="after each convolution; the paper's own code has none"
    )
    seconds: float | None = Field(
        default=6.0, gt=0, description="the clip's first so many seconds; null: all of it"
    )
    rate: int = Field(default=16_000, gt=0, description="samples per second")
    frames_per_second: int = Field(default=25, gt=0, description="frames that the sound is cut into")
    filters: int = Field(default=40, gt=0, description="of each convolution")
    short_kernel: int = Field(default=80, gt=0, description="samples: 5 ms")
    long_kernel: int = Field(default=4000, gt=0, description="pooled samples: 500 ms")
    pool: int = Field(default=2, gt=0, description="samples, between the convolutions")
    gain: float = Field(
        default=1.0,
        gt=0,
        description="samples are multiplied by it; speech has a deviation near 0.06, too faint for convolutions as "
        "they start",
    )
    offset: float = Field(
        default=0.0,
        description="subtracted from samples before the gain; (x - mean) / var is the paper's own code",
    )
    channel_pool: int = Field(
        default=10, gt=0, description="neighbouring filters, of which the largest stays"
    )

    @model_validator(mode="after")
    def _whole_frames(self) -> Self:
        if self.rate % (self.frames_per_second * self.pool):
            raise ValueError(
                f"rate {self.rate} must be a multiple of frames_per_second x pool = "
                f"{self.frames_per_second * self.pool}"
            )
        if self.filters % self.channel_pool:
            raise ValueError(f"filters {self.filters} must be a multiple of channel_pool {self.channel_pool}")
        return self


class WaveformEncoder(Encoder[WaveformOptions]):
    """Sound at rate -> frames of rate / frames_per_second / pool * filters / channel_pool features.

    The whole waveform is convolved and then cut into frames: a frame sees a quarter of a second to each side.
    Its weights are ``short.weight``, ``short.bias``, ``long.weight``, ``long.bias``, of nn.Conv1d's shapes.

    Args:
        options: ``WaveformOptions``.

    Examples:
        >>> options = WaveformOptions(filters=4, channel_pool=2, long_kernel=400)
        >>> encoder = WaveformEncoder(options)
        >>> encoder(FeatureSequence(torch.zeros(1, 16_000), torch.ones(1, 16_000, dtype=torch.bool))).values.shape
        torch.Size([1, 25, 640])
    """

    Options: ClassVar[type[EncoderOptions]] = WaveformOptions
    kind: ClassVar[str] = "audio"

    def __init__(self, options: WaveformOptions) -> None:
        super().__init__(options)
        short, long = options.short_kernel, options.long_kernel
        self.short = nn.Conv1d(1, options.filters, short)
        self.long = LongConv1d(options.filters, options.filters, long, padding=_around(long))
        self.samples_per_frame = options.rate // options.frames_per_second
        self.steps_per_frame = self.samples_per_frame // options.pool
        self.width = self.width_of(options)

    @classmethod
    @override
    def width_of(cls, options: WaveformOptions) -> int:
        steps_per_frame = options.rate // options.frames_per_second // options.pool
        return steps_per_frame * (options.filters // options.channel_pool)

    @classmethod
    @override
    def reading_of(cls, options: WaveformOptions) -> Reading:
        meaning = f"sample of mono sound at {options.rate} Hz, within -1 and 1"
        return Reading(torch.float32, (), meaning, options.rate // options.frames_per_second)

    def read(self, utterance: Utterance) -> Tensor | None:
        """(samples,) float32, whole frames only: ``samples_per_frame * floor(duration * frames_per_second)``.

        Raises ClipError for a clip shorter than one frame, or where the sound cannot be read.
        """
        if utterance.audio is None:
            return None
        end = utterance.end
        if self.options.seconds is not None:
            # One frame more than is kept: resampling may leave the last one a sample short.
            enough = (utterance.start or 0.0) + self.options.seconds + 1 / self.options.frames_per_second
            end = enough if end is None else min(end, enough)
        wave = utterance.waveform(self.options.rate, end)
        frames = len(wave) // self.samples_per_frame
        if self.options.seconds is not None:
            frames = min(frames, int(self.options.seconds * self.options.frames_per_second + 1e-6))
        if frames < 1:
            raise ClipError(
                f"{utterance.id}: {utterance.audio} has {len(wave)} samples at {self.options.rate} Hz, less "
                f"than one frame of {self.samples_per_frame}; leave the utterance out or give it more time."
            )
        return torch.from_numpy(wave[: frames * self.samples_per_frame].copy())

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """(batch, samples) -> (batch, frames, width); what is beyond a clip's last whole frame is dropped."""
        per_frame, per_step = self.samples_per_frame, self.options.pool
        if torch.compiler.is_exporting():
            frames = clips.mask.shape[1] // per_frame  # no choice by length: one frame at least must be given
            x_bl = clips.values[:, : frames * per_frame]
        else:
            frames = max(1, clips.mask.shape[1] // per_frame)
            x_bl = _fit(clips.values, frames * per_frame)
        x_bl = (x_bl - self.options.offset) * self.options.gain
        known_b = clips.lengths // per_frame  # whole frames of each clip
        mask_bf = torch.arange(frames, device=known_b.device) < known_b[:, None]
        mask_bt = mask_bf.repeat_interleave(self.steps_per_frame, dim=1)
        x_bl = x_bl.masked_fill(~mask_bt.repeat_interleave(per_step, dim=1), 0)

        padded_bl = functional.pad(x_bl, _around(self.options.short_kernel))
        h_bct = self._activate(pooled_conv1d(padded_bl, self.short.weight, self.short.bias, per_step))
        # Silence is not zero here: it is the bias. A batch's padding must look like the edge of a clip alone.
        h_bct = h_bct.masked_fill(~mask_bt[:, None], 0)
        y_bgt = self.long(h_bct).unflatten(1, (-1, self.options.channel_pool)).amax(dim=2)
        y_bft = self._activate(y_bgt).transpose(1, 2).reshape(y_bgt.shape[0], frames, self.width)
        return FeatureSequence(y_bft.masked_fill(~mask_bf[..., None], 0), mask_bf)

    def _activate(self, x: Tensor) -> Tensor:
        """Never decreasing, so after a maximum it gives what it would have given before, for less work."""
        return functional.relu(x) if self.options.activation == "relu" else x


def _around(kernel: int) -> tuple[int, int]:
    """Padding that keeps the length, the odd zero in front: 80 -> (40, 39), 4000 -> (2000, 1999)."""
    return kernel // 2, kernel - 1 - kernel // 2


def _fit(x_bl: Tensor, samples: int) -> Tensor:
    """Cut or zero-pad the time axis."""
    return functional.pad(x_bl, (0, samples - x_bl.shape[1]))

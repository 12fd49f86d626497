"""Statistics of the spectrum over a whole clip: centroid, spread, roll-off and flatness."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from affuse.corpora.corpus import Utterance
from affuse.encoders import Encoder, EncoderOptions, Reading
from affuse.fusion import pool
from affuse.sequence import FeatureSequence

RATE, WINDOW, HOP = 16_000, 512, 160


class SpectralOptions(EncoderOptions):
    rolloff: float = Field(default=0.85, gt=0, lt=1, description="share of the power below the roll-off")


class SpectralEncoder(Encoder[SpectralOptions]):
    """Audio -> (batch, 1, 8): mean and deviation over the clip of four numbers per frame of 32 ms."""

    Options = SpectralOptions
    kind = "audio"
    unscaled = True  # hertz beside shares: a recipe standardises them

    @classmethod
    def width_of(cls, options: SpectralOptions) -> int:
        return 8

    @classmethod
    def reading_of(cls, options: SpectralOptions) -> Reading:
        return Reading(torch.float32, (4,), "frame of 32 ms: centroid, spread, roll-off in Hz, flatness")

    def read(self, utterance: Utterance) -> Tensor | None:
        if utterance.audio is None:
            return None
        wave = torch.from_numpy(utterance.waveform(RATE))
        frames_tw = torch.nn.functional.pad(wave, (0, WINDOW)).unfold(0, WINDOW, HOP)
        power_tf = torch.fft.rfft(frames_tw * torch.hann_window(WINDOW)).abs().square() + 1e-10
        hertz_f = torch.linspace(0, RATE / 2, power_tf.shape[1])
        share_tf = power_tf / power_tf.sum(dim=1, keepdim=True)
        centroid_t = share_tf @ hertz_f
        spread_t = (share_tf * (hertz_f - centroid_t[:, None]).square()).sum(dim=1).sqrt()
        rolloff_t = hertz_f[(share_tf.cumsum(dim=1) < self.options.rolloff).sum(dim=1)]
        flatness_t = power_tf.log().mean(dim=1).exp() / power_tf.mean(dim=1)
        return torch.stack([centroid_t, spread_t, rolloff_t, flatness_t], dim=1)

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        return FeatureSequence(pool(clips, "mean_std")[:, None], clips.present[:, None])

"""wav2vec 2.0 and similar networks on a padded batch, with the numbers of its clips one by one.

In four places such a network looks beyond a clip's own frames, and transformers' attention mask mends two of them
(the input of the encoder, the attention). Here the extractor's normalisation and the group norm of the first
convolution take their statistics over real samples and frames only, and what every positional convolution reads
is zero beyond the clip, as it is in a clip alone.

Shape letters: b clips, n samples, t frames, c channels.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from affuse.encoders.hidden_states import Layer, hidden_states
from affuse.sequence import FeatureSequence

# transformers' model types whose parts have one form: convolutions, projection, positional convolutions, attention
FAMILY = ("wav2vec2", "hubert", "wavlm", "data2vec-audio", "unispeech", "unispeech-sat")
_EPSILON = 1e-7  # of Wav2Vec2FeatureExtractor's variance


class Wav2Vec2Batch(nn.Module):
    """(batch, samples) -> (batch, frames, ...); a clip too short for one frame is missing."""

    def __init__(self, network: Any, extractor: Any, layer: Layer) -> None:
        super().__init__()
        self.network = network
        self.normalise: bool = extractor.do_normalize
        self.layer: Layer = layer

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """Hidden states of a padded batch, before any averaging."""
        sound_bn, mask_bn = clips
        count_b = mask_bn.sum(dim=1)
        frames_b = self._frames(count_b)
        # a clip without a frame would be a mean and a softmax over nothing: it runs as silence, and its mask tells
        count_b = torch.where(frames_b > 0, count_b, mask_bn.shape[1])
        real_bn = torch.arange(mask_bn.shape[1], device=count_b.device) < count_b[:, None]
        if self.normalise:
            sound_bn = _standardised(sound_bn, real_bn, _EPSILON)
        with self._real_frames_only(count_b):
            output = self.network(sound_bn, attention_mask=real_bn.long(), output_hidden_states=True)
        values = hidden_states(output, self.layer)
        steps = torch.arange(values.shape[1], device=frames_b.device)
        return FeatureSequence(values, steps < frames_b[:, None])

    def _frames(self, samples_b: Tensor, layers: int | None = None) -> Tensor:
        """How many frames ``layers`` convolutions (None: all) make of so many samples; 0 or less: too few."""
        config = self.network.config
        for kernel, stride in list(zip(config.conv_kernel, config.conv_stride, strict=True))[:layers]:
            samples_b = (samples_b - kernel) // stride + 1
        return samples_b

    @contextmanager
    def _real_frames_only(self, samples_b: Tensor) -> Generator[None, None, None]:
        """Within it, the group norm and the positional convolutions see each clip's own frames and nothing else."""
        normed_b, frames_b = self._frames(samples_b, 1), self._frames(samples_b)

        def norm(module: nn.GroupNorm, args: tuple[Tensor], _: Tensor) -> Tensor:
            (x_bct,) = args  # as many groups as channels: each is normalised by itself
            x_bct = _standardised(x_bct, _upto(normed_b, x_bct), module.eps)
            return x_bct * module.weight[:, None] + module.bias[:, None]

        def clear(_: nn.Module, args: tuple[Tensor]) -> Tensor:
            return args[0].masked_fill(~_upto(frames_b, args[0]), 0)

        convolutions = self.network.feature_extractor.modules()
        positions = self.network.encoder.pos_conv_embed.modules()
        handles = [m.register_forward_hook(norm) for m in convolutions if isinstance(m, nn.GroupNorm)]
        handles += [m.register_forward_pre_hook(clear) for m in positions if isinstance(m, nn.Conv1d)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _upto(frames_b: Tensor, x_bct: Tensor) -> Tensor:
    """(b, 1, t): True on the first ``frames_b`` frames."""
    return (torch.arange(x_bct.shape[-1], device=frames_b.device) < frames_b[:, None])[:, None]


def _standardised(x: Tensor, mask: Tensor, epsilon: float) -> Tensor:
    """(x - mean) / sqrt(variance + epsilon) over the last axis where the mask is True; 0 elsewhere."""
    count = mask.sum(dim=-1, keepdim=True)
    x = x.masked_fill(~mask, 0)
    mean = x.sum(dim=-1, keepdim=True) / count
    x = (x - mean).masked_fill(~mask, 0)
    return x / (x.square().sum(dim=-1, keepdim=True) / count + epsilon).sqrt()

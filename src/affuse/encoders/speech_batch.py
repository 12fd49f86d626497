"""What stands for a SpeechEncoder in an ONNX file: a padded batch at once, with the numbers of its clips one by one.

Shape letters: b clips, n samples, r rows (chunks of all clips), t steps, g groups of steps. Hidden states are
(b, t, width), or (b, t, layers, width) for a layer mix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affuse.encoders.hidden_states import Layer, hidden_states
from affuse.encoders.wav2vec2_batch import FAMILY, Wav2Vec2Batch
from affuse.encoders.whisper_mel import WhisperMel
from affuse.sequence import FeatureSequence

PER_STEP = 320  # samples of one position of Whisper's: two mel frames of 10 ms


def obstacle(config: Any, extractor: Callable[[], Any]) -> str:
    """What keeps a speech network out of an ONNX file, in words after "since it"; "" where nothing does.

    Args:
        config: Of the network, as transformers reads it.
        extractor: Gives its feature extractor, which is only loaded for networks of a known kind.
    """
    extractors = {"whisper": "WhisperFeatureExtractor"} | dict.fromkeys(FAMILY, "Wav2Vec2FeatureExtractor")
    if config.model_type not in extractors:
        return f"is of the type {config.model_type}, not one of {', '.join(extractors)}"
    if getattr(config, "add_adapter", False):
        return "has convolutions after its last layer (add_adapter)"
    found = extractor()
    if type(found).__name__ != extractors[config.model_type]:
        return f"has the feature extractor {type(found).__name__}, not {extractors[config.model_type]}"
    return "has a feature extractor that adds noise (dither)" if getattr(found, "dither", 0) else ""


class SpeechBatch(nn.Module):
    """(batch, samples) -> (batch, steps, ...), no choice made by a length, so that it can be traced.

    Args:
        hidden: WhisperBatch or Wav2Vec2Batch, which gives the hidden states and their mask.
        average: Steps averaged into one; the last of a clip averages what is left.
    """

    def __init__(self, hidden: WhisperBatch | Wav2Vec2Batch, average: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.average = average

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """The encoder's features of a padded batch."""
        values, mask_bt = self.hidden(clips)
        values = values * _beside(mask_bt, values)
        if self.average == 1:
            return FeatureSequence(values, mask_bt)
        missing = -mask_bt.shape[1] % self.average
        values = torch.cat([values, values.new_zeros(values.shape[0], missing, *values.shape[2:])], dim=1)
        mask_bgt = F.pad(mask_bt, (0, missing)).unflatten(1, (-1, self.average))
        count_bg = mask_bgt.sum(dim=2).clamp(min=1)
        sums = values.unflatten(1, (-1, self.average)).sum(dim=2)
        return FeatureSequence(sums / _beside(count_bg, sums), mask_bgt.any(dim=2))


class WhisperBatch(nn.Module):
    """Chunks of ``span`` samples, each padded with silence and each with a log-mel of its own, through the encoder.

    A clip that is shorter than the longest of its batch has chunks of silence, which are computed and then cut.
    """

    def __init__(self, network: Any, extractor: Any, layer: Layer) -> None:
        super().__init__()
        self.network = network
        self.mel = WhisperMel(extractor)
        self.layer: Layer = layer
        self.span = network.config.max_source_positions * PER_STEP

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """Hidden states of a padded batch, before any averaging."""
        sound_bn, mask_bn = clips
        batch, samples = sound_bn.shape
        chunks_rn = F.pad(sound_bn, (0, -samples % self.span)).reshape(-1, self.span)
        output = self.network(self.mel(chunks_rn), output_hidden_states=True)
        values = hidden_states(output, self.layer)
        values = values.reshape(batch, -1, *values.shape[2:])  # chunks one after the other again
        steps = (samples + PER_STEP - 1) // PER_STEP
        known_b = (mask_bn.sum(dim=1) + PER_STEP - 1) // PER_STEP
        return FeatureSequence(
            values[:, :steps], torch.arange(steps, device=known_b.device) < known_b[:, None]
        )


def _beside(x_bt: Tensor, values: Tensor) -> Tensor:
    """(b, t) -> (b, t, 1, ...), to go with (b, t, ...)."""
    return x_bt.reshape(*x_bt.shape, *[1] * (values.dim() - 2))

"""`audio_classifier`: any audio classifier of transformers, and the few well-known heads that it has no class for."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import override

from affuse.corpora.corpus import Utterance
from affuse.encoders.base import Encoder, Reading
from affuse.encoders.classifiers.checkpoint import (
    ClassifierOptions,
    PooledNetwork,
    Scores,
    copy_files,
    width_of,
)
from affuse.encoders.pretrained import check_processor, load
from affuse.encoders.sources import files_key
from affuse.encoders.speech_batch import obstacle
from affuse.encoders.wav2vec2_batch import Wav2Vec2Batch
from affuse.encoders.whisper_mel import WhisperMel
from affuse.errors import AffuseError, ClipError, argument
from affuse.files import digest
from affuse.sequence import FeatureSequence

LEAST = 20  # clips of a second: 50 ms, as of the encoder speech


class AudioClassifier(Encoder[ClassifierOptions]):
    """A public audio classifier: a clip of sound in, one step of its head's scores out.

    What its feature extractor does to sound is done to every clip alone: some networks normalise over time, and a
    padded batch would not equal its clips. Sound beyond what the extractor takes (30 s of Whisper's) is cut, as
    transformers' pipeline cuts it. Always frozen.

    Args:
        options: ``ClassifierOptions``.

    Raises:
        AffuseError: The checkpoint cannot be had, or is no audio classifier.

    Examples:
        >>> encoder = AudioClassifier(ClassifierOptions(model="superb/wav2vec2-base-superb-er"))  # doctest: +SKIP
        >>> encoder.width_of(encoder.options)  # doctest: +SKIP
        4
    """

    Options = ClassifierOptions
    kind = "audio"

    def __init__(self, options: ClassifierOptions) -> None:
        super().__init__(options)
        self.scores = Scores(options, "audio")

    @classmethod
    @override
    def width_of(cls, options: ClassifierOptions) -> int:
        return width_of(options)

    @classmethod
    @override
    def reading_of(cls, options: ClassifierOptions) -> Reading:
        rate = _rate(options)
        return Reading(
            torch.float32, (), f"sample of mono sound at {rate} Hz, within -1 and 1", least=rate // LEAST
        )

    @classmethod
    @override
    def check_exportable(cls, options: ClassifierOptions) -> None:
        if reason := obstacle(_config(options), lambda: _extractor(options)):
            raise AffuseError(
                f"{options.model} cannot be part of an ONNX file, since it {reason}; export with "
                f"{argument('inputs', 'features')}."
            )

    @override
    def exportable(self) -> nn.Module:
        whisper = self.scores.network.__class__.__name__ == "WhisperForAudioClassification"
        return (
            _WhisperScores(self.scores, self.extractor)
            if whisper
            else _WaveScores(self.scores, self.extractor)
        )

    @override
    def check_trainable(self) -> None:
        raise AffuseError(
            "A public classifier stays as it is; set its frozen: true, or train the same network by the encoder speech."
        )

    @override
    def write_source(self, folder: Path, weights: bool) -> dict[str, str | None]:
        """The checkpoint's own files."""
        return copy_files(self.options, folder)

    @property
    @override
    def reading_key(self) -> str:
        return digest("waveform", str(self.rate))

    @property
    @override
    def features_key(self) -> str:
        return digest(super().features_key, self.scores.scale, *files_key(self.options.model))

    @cached_property
    def extractor(self) -> Any:
        """The feature extractor of transformers, which normalises samples or makes log-mels."""
        return _extractor(self.options)

    @property
    def rate(self) -> int:
        """Samples a second."""
        return self.extractor.sampling_rate

    def read(self, utterance: Utterance) -> Tensor | None:
        """(samples,) float32; None where the utterance has no audio."""
        if utterance.audio is None:
            return None
        waveform = utterance.waveform(self.rate)
        if len(waveform) < self.rate // LEAST:
            raise ClipError(
                f"{utterance.audio} holds {len(waveform) / self.rate * 1000:.0f} ms of audio for {utterance.id}; "
                "a classifier of sound needs at least 50 ms."
            )
        return torch.from_numpy(waveform)

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """(batch, samples) -> (batch, 1, scores)."""
        present = clips.present
        values = torch.zeros(len(present), 1, self.width_of(self.options), device=clips.values.device)
        for row, (samples, mask) in enumerate(zip(clips.values, clips.mask, strict=True)):
            if bool(mask.any()):
                inputs = self.extractor(
                    samples[mask].cpu().numpy(), sampling_rate=self.rate, return_tensors="pt"
                )
                values[row, 0] = self.scores(**inputs.to(clips.values.device))[0]
        return FeatureSequence(values, present[:, None])


class _WaveScores(nn.Module):
    """A network of the wav2vec 2.0 family with its head on a padded batch, for an ONNX file."""

    def __init__(self, scores: Scores, extractor: Any) -> None:
        super().__init__()
        self.scores = scores
        network = scores.network
        self.pooled = isinstance(network, PooledNetwork)
        self.weighted = not self.pooled and bool(network.config.use_weighted_layer_sum)
        body = network.body if self.pooled else getattr(network, network.base_model_prefix)
        self.hidden = Wav2Vec2Batch(body, extractor, "mix" if self.weighted else -1)

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """(batch, samples) -> (batch, 1, scores)."""
        values, mask_bt = self.hidden(clips)
        network = self.scores.network
        if self.weighted:
            values = (values * network.layer_weights.softmax(dim=-1)[:, None]).sum(dim=2)
        if not self.pooled:
            values = network.projector(values)
        # a clip too short for a frame is answered by silence, and masked
        count_b = mask_bt.sum(dim=1, keepdim=True)
        values = torch.where(mask_bt[..., None], values, torch.zeros_like(values))
        mean = values.sum(dim=1) / count_b.clamp(min=1)
        logits = network.head(mean) if self.pooled else network.classifier(mean)
        present = (count_b > 0) & clips.present[:, None]
        return FeatureSequence(self.scores.of_logits(logits)[:, None] * present[..., None], present)


class _WhisperScores(nn.Module):
    """Whisper's classifier on a padded batch, for an ONNX file: every clip cut or filled to its 30 s."""

    def __init__(self, scores: Scores, extractor: Any) -> None:
        super().__init__()
        self.scores = scores
        self.mel = WhisperMel(extractor)
        self.span: int = extractor.n_samples

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """(batch, samples) -> (batch, 1, scores)."""
        sound = F.pad(clips.values, (0, self.span))[:, : self.span]
        present = clips.present[:, None]
        return FeatureSequence(
            self.scores(input_features=self.mel(sound))[:, None] * present[..., None], present
        )


def _config(options: ClassifierOptions) -> Any:
    from transformers import AutoConfig

    return load(AutoConfig, options.model, options.revision)


def _extractor(options: ClassifierOptions) -> Any:
    from transformers import AutoFeatureExtractor

    check_processor(options.model, "feature extractor", "how sound is read")
    extractor = load(AutoFeatureExtractor, options.model, options.revision)
    rate = getattr(extractor, "sampling_rate", None)
    if not isinstance(rate, int) or rate < LEAST:
        raise AffuseError(
            f"The preprocessor_config.json of {options.model} has the sampling_rate {rate}; correct it in a copy."
        )
    return extractor


def _rate(options: ClassifierOptions) -> int:
    return int(_extractor(options).sampling_rate)

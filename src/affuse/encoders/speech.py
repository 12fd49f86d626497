"""`speech`: any transformers speech encoder (wav2vec 2.0, HuBERT, WavLM, Whisper)."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from affuse.corpora.corpus import Utterance
from affuse.encoders.base import Encoder, EncoderOptions, Reading
from affuse.encoders.fingerprint import hold_to
from affuse.encoders.hidden_states import Layer, hidden_states
from affuse.encoders.layer_mix import LayerMix
from affuse.encoders.pretrained import load, load_network
from affuse.encoders.sources import files_key
from affuse.encoders.speech_batch import PER_STEP, SpeechBatch, WhisperBatch, obstacle
from affuse.encoders.wav2vec2_batch import Wav2Vec2Batch
from affuse.errors import AffuseError, ClipError, argument
from affuse.files import digest
from affuse.sequence import FeatureSequence, pad

RATE = 16_000  # every speech encoder of transformers that we know takes 16 kHz
LEAST = RATE // 20  # samples: 50 ms; the convolutions of wav2vec 2.0 see 25 ms


class SpeechOptions(EncoderOptions):
    """Options of ``speech``."""

    model: str = Field(description="Hub id, folder, or package:NAME/FOLDER")
    revision: str | None = Field(default=None, description="commit or tag of the Hub model")
    layer: Layer = Field(
        default=-1,
        description="hidden state to take (-1: the last, 0: the input of the first layer), or a learnt mix",
    )
    average: int = Field(
        default=1, gt=0, description="frames averaged into one step; 5 makes 100 ms of 20 ms"
    )
    fingerprint: str | None = Field(
        default=None,
        description="of the encoder's weights in 16 bits (encoders.fingerprint); others are refused, and these, "
        "rounded, are the ones that are used",
    )
    context: float = Field(
        default=30.0,
        gt=0,
        le=30,
        description="Whisper only: seconds the encoder sees at once, padded with silence",
    )


class SpeechEncoder(Encoder[SpeechOptions]):
    """Any transformers speech encoder: waveform in, hidden states out.

    wav2vec 2.0 and HuBERT normalise over time, so a padded batch would not equal its clips one by one: clips
    run alone. Whisper pads every clip to its context, as it was trained; the steps beyond the clip are cut.
    In an ONNX file SpeechBatch stands for it.

    Args:
        options: ``SpeechOptions``.

    Raises:
        AffuseError: The model cannot be had, or has no such layer.

    Examples:
        >>> encoder = SpeechEncoder(SpeechOptions(model="facebook/wav2vec2-base"))  # doctest: +SKIP
        >>> encoder(pad([torch.zeros(16_000)])).values.shape  # doctest: +SKIP
        torch.Size([1, 49, 768])
    """

    Options = SpeechOptions
    kind = "audio"

    def __init__(self, options: SpeechOptions) -> None:
        super().__init__(options)
        from transformers import AutoModel

        config = _config(options)
        self.whisper = config.model_type == "whisper"
        if self.whisper:
            from transformers import WhisperModel

            network: Any = load_network(
                WhisperModel, options.model, options.revision, spare="decoder."
            ).encoder
            positions = round(options.context * RATE / PER_STEP)
            if positions < config.max_source_positions:
                network.config.max_source_positions = positions
                network.embed_positions = nn.Embedding.from_pretrained(
                    network.embed_positions.weight[:positions].clone(), freeze=True
                )
            self.span = network.config.max_source_positions * PER_STEP  # samples the encoder sees at once
        else:
            network = load_network(AutoModel, options.model, options.revision)
        if options.fingerprint is not None:
            hold_to(network, options.fingerprint, options.model)
        self.network = network
        if isinstance(options.layer, int) and not -1 <= options.layer <= _layers(config):
            raise AffuseError(
                f"{options.model} has layers 0 to {_layers(config)}; layer {options.layer} is not one."
            )

    @classmethod
    @override
    def width_of(cls, options: SpeechOptions) -> int:
        config = _config(options)
        return getattr(config, "d_model", None) or config.hidden_size

    @classmethod
    @override
    def adapter_of(cls, options: SpeechOptions) -> nn.Module | None:
        return LayerMix(_layers(_config(options)) + 1) if options.layer == "mix" else None

    @classmethod
    @override
    def reading_of(cls, options: SpeechOptions) -> Reading:
        return Reading(torch.float32, (), f"sample of mono sound at {RATE} Hz, within -1 and 1", least=LEAST)

    @classmethod
    def check_exportable(cls, options: SpeechOptions) -> None:
        """Networks whose padded batches can be given the numbers of their clips; nothing inexact is exported."""
        if reason := obstacle(_config(options), lambda: _extractor(options)):
            raise AffuseError(
                f"{options.model} cannot be part of an ONNX file, since it {reason}; "
                f"freeze it and export with {argument('inputs', 'features')}."
            )

    @override
    def exportable(self) -> nn.Module:
        kind = WhisperBatch if self.whisper else Wav2Vec2Batch
        return SpeechBatch(kind(self.network, self.extractor, self.options.layer), self.options.average)

    def write_source(self, folder: Path, weights: bool) -> dict[str, str | None]:
        """Config and feature extractor; with ``weights``, the original network."""
        if weights:
            from transformers import AutoModel

            load(AutoModel, self.options.model, self.options.revision, dtype="auto").save_pretrained(folder)
        else:
            self.network.config.save_pretrained(folder)  # type: ignore[union-attr,operator]
        self.extractor.save_pretrained(folder)
        return {"model": ".", "revision": None}

    @property
    @override
    def reading_key(self) -> str:
        return digest("waveform", str(RATE))

    @property
    def features_key(self) -> str:
        """With what a feature extractor of this machine does to samples."""
        about = files_key(self.options.model)
        return digest(super().features_key, *about) if about else super().features_key

    @cached_property
    def extractor(self) -> Any:
        """The feature extractor of transformers, which normalises samples or makes log-mels."""
        return _extractor(self.options)

    def read(self, utterance: Utterance) -> Tensor | None:
        """(samples,) float32 at 16 kHz; None where the utterance has no audio."""
        if utterance.audio is None:
            return None
        waveform = utterance.waveform(RATE)
        if len(waveform) < LEAST:
            raise ClipError(
                f"{utterance.audio} holds {len(waveform) / RATE * 1000:.0f} ms of audio for {utterance.id}; "
                "a speech encoder needs at least 50 ms."
            )
        return torch.from_numpy(waveform)

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """(batch, samples) -> (batch, steps, width), or (batch, steps, layers, width) for a layer mix."""
        device = clips.values.device
        encode = self._encode_whisper if self.whisper else self._encode
        outputs = [
            self._average(encode(values[mask].cpu().numpy(), device)) if mask.any() else None
            for values, mask in zip(clips.values, clips.mask, strict=True)
        ]
        if all(output is None for output in outputs):
            width = self.width_of(self.options)
            shape = (_layers(self.network.config) + 1, width) if self.options.layer == "mix" else (width,)
            empty = torch.zeros(len(outputs), 1, *shape, device=device)
            return FeatureSequence(empty, torch.zeros(len(outputs), 1, dtype=torch.bool, device=device))
        return pad(outputs).to(device)

    def _encode(self, waveform: Any, device: torch.device) -> Tensor:
        inputs = self.extractor(waveform, sampling_rate=RATE, return_tensors="pt").to(device)
        output = self.network(inputs["input_values"], output_hidden_states=True)
        return hidden_states(output, self.options.layer)[0]

    def _encode_whisper(self, waveform: Any, device: torch.device) -> Tensor:
        span = self.span
        chunks = [waveform[at : at + span] for at in range(0, len(waveform), span)]
        mels = self.extractor(
            chunks, sampling_rate=RATE, padding="max_length", max_length=span, return_tensors="pt"
        )["input_features"].to(device)
        hidden = hidden_states(self.network(mels, output_hidden_states=True), self.options.layer)
        steps = [hidden[i, : -(-len(chunk) // PER_STEP)] for i, chunk in enumerate(chunks)]
        return torch.cat(steps)

    def _average(self, steps: Tensor) -> Tensor:
        """(time, ...) -> (ceil(time / average), ...); the last step averages what is left."""
        size = self.options.average
        if size == 1:
            return steps
        whole = len(steps) // size * size
        parts = [steps[:whole].unflatten(0, (-1, size)).mean(dim=1)] if whole else []
        if whole < len(steps):
            parts.append(steps[whole:].mean(dim=0, keepdim=True))
        return torch.cat(parts)


def _config(options: SpeechOptions) -> Any:
    from transformers import AutoConfig

    return load(AutoConfig, options.model, options.revision)


def _extractor(options: SpeechOptions) -> Any:
    from transformers import AutoFeatureExtractor

    return load(AutoFeatureExtractor, options.model, options.revision)


def _layers(config: Any) -> int:
    return getattr(config, "encoder_layers", None) or config.num_hidden_layers

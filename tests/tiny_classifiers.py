"""Small random classifiers in the real formats, with biases and norms that are not at their first values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tiny_models import tiny_bert

EMOTIONS = ("ang", "hap", "neu", "sad")
_WAVE = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "conv_dim": (8, 8),
    "conv_kernel": (10, 8), "conv_stride": (20, 16), "num_feat_extract_layers": 2, "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2, "classifier_proj_size": 12,
}  # fmt: skip
_WORDS = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 40,
}  # fmt: skip


def labels_of(labels: tuple[str, ...]) -> dict[str, Any]:
    return {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}


def stir(network: torch.nn.Module) -> None:
    """No bias or norm stays at 0 or 1, where a mistake would not show, and no answer is nearly the same for all."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.3 * torch.randn_like(parameter)


def tiny_audio(
    folder: Path, kind: str = "wav2vec2", labels: tuple[str, ...] = EMOTIONS, **options: Any
) -> Path:
    """wav2vec2, hubert, wavlm or whisper."""
    from transformers import (
        AutoConfig,
        AutoModelForAudioClassification,
        Wav2Vec2FeatureExtractor,
        WhisperFeatureExtractor,
    )

    torch.manual_seed(3)
    shape: dict[str, Any] = _WAVE
    if kind == "whisper":
        shape = {
            "vocab_size": 32, "d_model": 16, "encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 2,
            "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_target_positions": 8,
            "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
            "classifier_proj_size": 12,
        }  # fmt: skip
    config = AutoConfig.for_model(kind, **{**shape, **labels_of(labels), **options})
    network = AutoModelForAudioClassification.from_config(config)
    stir(network)
    network.save_pretrained(folder)
    (
        WhisperFeatureExtractor() if kind == "whisper" else Wav2Vec2FeatureExtractor(do_normalize=True)
    ).save_pretrained(folder)
    return folder


def tiny_text(folder: Path, kind: str = "bert", labels: tuple[str, ...] = EMOTIONS, **options: Any) -> Path:
    """bert, roberta or distilbert, with the tokenizer of ``tiny_bert``."""
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert(folder.parent / f"{folder.name}-words"))
    torch.manual_seed(4)
    shape: dict[str, Any] = dict(_WORDS)
    if kind == "distilbert":
        shape = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 40}
    config = AutoConfig.for_model(
        kind,
        vocab_size=len(tokenizer),
        **{"pad_token_id": tokenizer.pad_token_id, **shape, **labels_of(labels), **options},
    )
    network = AutoModelForSequenceClassification.from_config(config)
    stir(network)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_image(folder: Path, labels: tuple[str, ...] = EMOTIONS, columns: int = 48) -> Path:
    """A ViT of pictures of 48 rows."""
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(5)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=(48, columns),
        patch_size=16, **labels_of(labels),
    )  # fmt: skip
    network = ViTForImageClassification(config)
    stir(network)
    network.save_pretrained(folder)
    ViTImageProcessor(size={"height": 48, "width": columns}).save_pretrained(folder)
    return folder


def tiny_dimensional(
    folder: Path, output: str = "classifier.out_proj", labels: tuple[str, ...] = (), **more: Any
) -> Path:
    """As audEERING's dimensional wav2vec 2.0: the network's own names, then dense and out_proj."""
    from safetensors.torch import load_file, save_file
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.manual_seed(6)
    names = labels or ("arousal", "dominance", "valence")
    config = Wav2Vec2Config(
        **{**_WAVE, **labels_of(names), "architectures": ["Wav2Vec2ForSpeechClassification"], **more}
    )
    body = Wav2Vec2Model(config)
    stir(body)
    body.save_pretrained(folder)
    state = {f"wav2vec2.{name}": tensor for name, tensor in load_file(folder / "model.safetensors").items()}
    state |= {
        "classifier.dense.weight": torch.randn(16, 16), "classifier.dense.bias": torch.randn(16),
        f"{output}.weight": torch.randn(len(names), 16), f"{output}.bias": torch.randn(len(names)),
    }  # fmt: skip
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder

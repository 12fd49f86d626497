"""Small random models in the real formats: what from_pretrained reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

WORDS = ("the a happy sad angry calm day door train comes goes here there now we you they it is was").split()  # noqa: SIM905


def tiny_bert(folder: Path, pooler: bool = True) -> Path:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    BertModel(config, add_pooling_layer=pooler).save_pretrained(folder)
    return folder


def tiny_wav2vec2(folder: Path, kind: str = "wav2vec2", do_normalize: bool = True, **options: Any) -> Path:
    """A network of the wav2vec 2.0 family; no bias or norm is left at 0 or 1, where a mistake would not show."""
    from transformers import AutoConfig, AutoModel, Wav2Vec2FeatureExtractor

    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind,
        **{
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "conv_dim": (8, 8),
            "conv_kernel": (10, 8),
            "conv_stride": (20, 16),
            "num_feat_extract_layers": 2,
            "num_conv_pos_embeddings": 8,
            "num_conv_pos_embedding_groups": 2,
            **options,
        },
    )
    network = AutoModel.from_config(config)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 2)
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter += 0.3 * torch.randn_like(parameter)
    network.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=do_normalize).save_pretrained(folder)
    return folder


def tiny_recogniser(folder: Path) -> Path:
    """Hears words, by CTC and with their times; untrained, so what it hears is letters at random."""
    import json

    from transformers import AutoConfig, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    tiny_wav2vec2(folder)
    config = AutoConfig.from_pretrained(folder, vocab_size=31, pad_token_id=0)
    torch.manual_seed(0)
    network = Wav2Vec2ForCTC(config)
    with torch.no_grad():
        network.lm_head.weight.mul_(400)  # what it hears changes with the sound
    network.save_pretrained(folder)
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz"]
    (folder / "vocab.json").write_text(json.dumps({letter: i for i, letter in enumerate(letters)}))
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def tiny_whisper(folder: Path) -> Path:
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=32,
        d_model=16,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_target_positions=8,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    WhisperModel(config).save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    return folder


def tiny_vision(folder: Path, kind: str = "vit") -> Path:
    """An image network of 32 x 32 with its own image processor; no bias or norm is left at 0 or 1."""
    import transformers
    from transformers import AutoConfig, AutoModel

    small = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "image_size": 32,
        "patch_size": 8,
    }
    options: dict[str, Any] = small
    if kind in ("convnext", "swin"):
        options = {"depths": [1, 1], "image_size": 32, "patch_size": 4}
    if kind == "convnext":
        options |= {"hidden_sizes": [8, 16], "num_stages": 2}
    if kind == "swin":
        options |= {"embed_dim": 8, "num_heads": [1, 2], "window_size": 4}
    if kind == "clip":
        text = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
        text |= {"vocab_size": 99, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
        options = {"vision_config": small, "text_config": text, "projection_dim": 8}
    torch.manual_seed(0)
    network = AutoModel.from_config(AutoConfig.for_model(kind, **options))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    network.save_pretrained(folder)
    square = {"height": 32, "width": 32}
    processors: dict[str, tuple[str, dict[str, Any]]] = {
        "vit": ("ViTImageProcessorPil", {"size": square}),
        "swin": ("ViTImageProcessorPil", {"size": square, "image_mean": [0.4, 0.5, 0.6]}),
        "dinov2": ("BitImageProcessorPil", {"size": {"shortest_edge": 36}, "crop_size": square}),
        "dinov2_with_registers": (
            "BitImageProcessorPil",
            {"size": {"shortest_edge": 37}, "crop_size": square},
        ),
        "clip": ("CLIPImageProcessorPil", {"size": {"shortest_edge": 32}, "crop_size": square}),
        "convnext": ("ConvNextImageProcessorPil", {"size": {"shortest_edge": 32}, "crop_pct": 0.875}),
        "resnet": ("ConvNextImageProcessorPil", {"size": {"shortest_edge": 384}}),
    }
    name, chosen = processors[kind]
    getattr(transformers, name)(**chosen).save_pretrained(folder)
    return folder


def tiny_ctc(folder: Path) -> Path:
    """A recogniser that hears letters at random, and a word's end now and then."""
    import json

    from transformers import (
        Wav2Vec2Config,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForCTC,
        Wav2Vec2Processor,
    )

    folder.mkdir(parents=True, exist_ok=True)
    letters = {letter: i for i, letter in enumerate(["[PAD]", "[UNK]", "|", *"THEADYW"])}
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps(letters))
    tokenizer = Wav2Vec2CTCTokenizer(str(vocabulary), unk_token="[UNK]", pad_token="[PAD]")
    Wav2Vec2Processor(Wav2Vec2FeatureExtractor(), tokenizer).save_pretrained(folder)
    torch.manual_seed(0)
    network = Wav2Vec2ForCTC(
        Wav2Vec2Config(
            vocab_size=len(letters),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            conv_dim=(8, 8, 8),
            conv_kernel=(10, 8, 5),
            conv_stride=(10, 16, 10),
            num_feat_extract_layers=3,
            num_conv_pos_embeddings=8,
            num_conv_pos_embedding_groups=2,
            pad_token_id=0,
        )
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.6)
    network.save_pretrained(folder)
    return folder

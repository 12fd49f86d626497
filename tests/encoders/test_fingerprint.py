"""Weights known by their values in 16 bits: a copy in either precision gives the same features, others are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from affuse.encoders.fingerprint import fingerprint, hold_to
from affuse.encoders.pretrained import weights_follow
from affuse.encoders.speech import SpeechEncoder, SpeechOptions
from affuse.errors import AffuseError
from affuse.sequence import pad
from tiny_models import tiny_whisper


def copy_in_halves(folder: Path, out: Path) -> Path:
    """The same weights, kept in 16 bits as some releases are."""
    import shutil

    from transformers import WhisperModel

    shutil.copytree(folder, out)
    (out / "model.safetensors").unlink()
    WhisperModel.from_pretrained(folder, dtype=torch.float16).save_pretrained(out)
    return out


def test_a_copy_in_16_bits_gives_the_same_features(tmp_path: Path) -> None:
    whole = tiny_whisper(tmp_path / "whole")
    halves = copy_in_halves(whole, tmp_path / "halves")
    known = fingerprint(SpeechEncoder(SpeechOptions(model=str(halves))).network)  # type: ignore[arg-type]
    clip = pad([torch.randn(16_000) * 0.1])
    found = []
    for folder in (whole, halves):
        encoder = SpeechEncoder(SpeechOptions(model=str(folder), fingerprint=known)).eval()
        with torch.inference_mode():
            found.append(encoder(clip).values)
    assert torch.equal(found[0], found[1])
    with torch.inference_mode():
        plain = SpeechEncoder(SpeechOptions(model=str(whole))).eval()(clip).values
    assert not torch.equal(plain, found[0])  # without it the copies differ, as float32 and float16 do


def test_other_weights_are_refused(tmp_path: Path) -> None:
    whole = tiny_whisper(tmp_path / "whole")
    with pytest.raises(AffuseError, match="not those that the model was trained with: their fingerprint is"):
        SpeechEncoder(SpeechOptions(model=str(whole), fingerprint="0" * 64))


def test_it_depends_on_names_shapes_and_values() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(2, 2)
    known = fingerprint(layer)
    with torch.no_grad():
        layer.weight.mul_(1 + 1e-6)  # below the precision of 16 bits, but for a value at an edge
    assert fingerprint(nn.Sequential(layer)) != known
    with torch.no_grad():
        layer.weight[0, 0] += 0.01
    assert fingerprint(layer) != known


def test_architectures_alone_are_not_checked() -> None:
    with weights_follow():
        hold_to(nn.Linear(2, 2), "0" * 64, "any")

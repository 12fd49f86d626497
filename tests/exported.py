"""Exported networks in onnxruntime, and the PyTorch networks they are compared with."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch.onnx._internal.exporter._registration import ONNXRegistry

import affuse
from affuse.encoders.base import Encoder
from affuse.models.network import Model
from affuse.models.parts import resolve_encoders
from affuse.recipe import Recipe
from affuse.sequence import FeatureSequence

# Each export reads the source of all operators again, a third of what a small network takes; here the first one does.
ONNXRegistry.from_torchlib = staticmethod(cache(ONNXRegistry.from_torchlib))

TASKS = {"emotion": {}, "gender": {"loss": "cross_entropy"}}


def build(modalities: dict, fusion: str = "concat", options: dict | None = None, seed: int = 0) -> Model:
    torch.manual_seed(seed)
    recipe = Recipe.parse(
        {
            "name": "small",
            "tasks": TASKS,
            "modalities": modalities,
            "fusion": {"name": fusion, "options": options or {}},
        }
    )
    return affuse.build(recipe).eval()


def frozen_encoders(model: Model) -> dict:
    torch.manual_seed(5)
    return {name: encoder.make().eval() for name, encoder in resolve_encoders(model.recipe).items()}


def batch(lengths: list[int], *step: int, scale: float = 1.0) -> FeatureSequence:
    """Random clips of these lengths; 0 is a missing modality."""
    longest = max(1, *lengths)
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    values = scale * torch.randn(len(lengths), longest, *step)
    return FeatureSequence(values * mask.reshape(*mask.shape, *[1] * len(step)), mask)


def feed(clips: dict[str, FeatureSequence]) -> dict[str, np.ndarray]:
    named = {}
    for name, (values, mask) in clips.items():
        named |= {name: values.numpy(), f"{name}_mask": mask.numpy()}
    return named


def assert_same(
    model: Model,
    path: Path,
    clips: dict[str, FeatureSequence],
    frozen: dict[str, Callable[..., Any] | Encoder] | None = None,
    atol: float = 1e-4,
) -> None:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    got = dict(zip([o.name for o in session.get_outputs()], session.run(None, feed(clips)), strict=True))
    with torch.no_grad():
        output = model({n: frozen[n](c) if frozen and n in frozen else c for n, c in clips.items()})
    wanted = {f"logits_{task}": logits for task, logits in output.logits.items()} | {
        "embedding": output.embedding
    }
    assert list(got) == list(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(got[name], value.numpy(), rtol=0, atol=atol, err_msg=name)

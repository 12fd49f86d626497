"""Two small models of one modality each, with what they know of their trainings: members of joined models."""

from __future__ import annotations

from pathlib import Path

import torch

import affuse
from affuse.evaluation.confidence import Confidence
from affuse.models.defaults import ClipSeconds, PredictionDefaults, Seen
from affuse.models.saving import save_model
from affuse.recipe import Recipe
from tiny_models import tiny_bert

VOICE = {"emotion": ["anger", "happiness", "sadness", "neutral"], "gender": ["female", "male"]}
WORDS = {"emotion": ["neutral", "joy", "fear", "anger"]}
MAP = {"emotion": {"joy": "happiness", "fear": None}}
RATE = 16_000


def voice_model(folder: Path) -> Path:
    torch.manual_seed(0)
    recipe = Recipe.load("voice-offline", {"tasks.gender.loss": "cross_entropy"})
    model = affuse.build(recipe, VOICE)
    model.standardisers["audio"].fit(torch.full((model.widths["audio"],), -3.0), torch.ones(1))
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.defaults = PredictionDefaults(
        clip_seconds=ClipSeconds(median=2, low=1, high=3),
        confidence={
            "emotion": Confidence(temperature=1.6, unsure_below=0.4, utterances=80, speakers=4, evidence=0.9),
            "gender": Confidence(temperature=0.8, unsure_below=0.3, utterances=80, speakers=4, evidence=0.9),
        },
        seen=Seen(corpus="voices", utterances={"train": ["a" * 32]}, speakers=["b" * 16]),
    )
    save_model(model, folder, card="# Voice\n")
    return folder


def words_model(folder: Path) -> Path:
    torch.manual_seed(1)
    bert = tiny_bert(folder.parent / "bert")
    model = affuse.build(
        Recipe.parse({
            "name": "words",
            "modalities": {"words": {"encoder": "bert", "options": {"model": str(bert)}}},
            "fusion": {"name": "concat", "options": {"width": 8}},
        }),
        WORDS,
    )  # fmt: skip
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.defaults = PredictionDefaults(
        confidence={"emotion": Confidence(temperature=2.5, unsure_below=0.2, utterances=900, evidence=1.0)},
        seen=Seen(corpus="lines", utterances={"train": ["c" * 32], "test": ["d" * 32]}, speakers=[]),
    )
    save_model(model, folder)
    return folder

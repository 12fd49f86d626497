"""Models that tell ratings: small and untrained, but with all that prediction knows of a training."""

from __future__ import annotations

from typing import Any

import torch

from affuse.evaluation.bands import Band
from affuse.evaluation.confidence import Confidence
from affuse.models.defaults import ClipSeconds, PredictionDefaults
from affuse.models.network import Model
from affuse.recipe import Recipe

EMOTIONS = ["anger", "happiness", "sadness", "neutral"]
VALENCE = {"kind": "regression", "range": [1, 5]}
AROUSAL = {"kind": "regression", "range": [-1, 1]}
BOTH: dict[str, Any] = {"valence": VALENCE, "emotion": {"classes": EMOTIONS}}
VOICE: dict[str, Any] = {"audio": {"encoder": "logmel", "options": {"bands": 16}, "standardise": True}}
BAND = Band(half=0.7, utterances=120, speakers=6)


def rated_model(
    tasks: dict[str, Any] = BOTH, modalities: dict[str, Any] = VOICE, band: Band | None = BAND
) -> Model:
    """``band``: of every rating; None: the model knows of none."""
    torch.manual_seed(0)
    recipe = Recipe.parse(
        {"name": "rated", "modalities": modalities, "tasks": tasks, "head": {"hidden": None}}
    )
    model = Model(recipe, {"emotion": EMOTIONS}).eval()
    for standardiser in model.standardisers.values():
        standardiser.fit(torch.tensor(0.0), torch.tensor(20.0))  # type: ignore[operator]
    model.defaults = PredictionDefaults(
        clip_seconds=ClipSeconds(median=1.2, low=0.7, high=2.0),
        confidence={"emotion": Confidence(temperature=2.0, unsure_below=0.4, utterances=900, evidence=0.9)},
        bands={} if band is None else dict.fromkeys(model.dimensions, band),
    )
    return model

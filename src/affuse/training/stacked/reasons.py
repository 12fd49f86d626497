"""Why a recipe cannot be one of a stack, in words."""

from __future__ import annotations

import psutil

from affuse.models.parts import resolve_encoders
from affuse.names import listed
from affuse.recipe import Recipe
from affuse.training.experiment import Experiment
from affuse.training.stacked.trials import try_fusion, try_loss, try_weighting

MEMORY_SHARE = 0.5  # of the free memory that features may take


def why_not(recipe: Recipe, experiment: Experiment) -> str:
    """Why runs of a recipe are trained by Lightning and not in a stack; "" where they can be stacked.

    Args:
        recipe: Resolved on the corpus.
        experiment: Its features.
    """
    if recipe.training.engine == "lightning":
        return "training.engine is lightning"
    trained = [name for name, modality in recipe.modalities.items() if not modality.frozen]
    if trained:
        return f"the encoder of {listed(trained)} is trained"
    if reason := try_weighting(recipe):
        return reason
    widths = {name: encoder.width for name, encoder in resolve_encoders(recipe).items()}
    if reason := try_fusion(recipe.fusion, widths):
        return reason
    for task, choice in recipe.tasks.items():
        if reason := try_loss(task, choice, len(experiment.labelled.spaces[task])):
            return reason
    return _memory(experiment)


def _memory(experiment: Experiment) -> str:
    """Features that do not fit are read from disk batch by batch, which Lightning's way does."""
    needed, free = experiment.features_bytes, psutil.virtual_memory().available
    if needed <= MEMORY_SHARE * free:
        return ""
    return f"its features take {needed / 1e9:.1f} GB of memory, of which {free / 1e9:.1f} GB are free"

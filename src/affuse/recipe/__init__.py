"""A recipe: an experiment as data. ``recipe`` loads and writes it, ``sections`` are its fields."""

from affuse.recipe.recipe import Recipe, packaged_recipes
from affuse.recipe.sections import (
    FusionChoice,
    Head,
    LossTerm,
    Modality,
    Optimizer,
    Schedule,
    Task,
    Training,
    WeightingChoice,
    loss_name,
    parse_loss,
)

__all__ = [
    "FusionChoice",
    "Head",
    "LossTerm",
    "Modality",
    "Optimizer",
    "Recipe",
    "Schedule",
    "Task",
    "Training",
    "WeightingChoice",
    "loss_name",
    "packaged_recipes",
    "parse_loss",
]

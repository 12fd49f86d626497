"""Why a recipe cannot be one of a stack, in words."""

from __future__ import annotations

import logging
from collections.abc import Callable

from affuse.models.parts import resolve_encoders
from affuse.names import listed
from affuse.recipe import Recipe
from affuse.recipe.sections import loss_name
from affuse.training.experiment import Experiment
from affuse.training.stacked.memory import SHARE, features_bytes, free_memory, in_words
from affuse.training.stacked.trials import try_fusion, try_loss, try_weighting

log = logging.getLogger("affuse.training")


class Shortage(str):
    """A reason that lies with the machine's memory: it makes runs slower, so nobody should have to ask for it."""

    __slots__ = ()


def why_not(recipe: Recipe, experiment: Experiment) -> str:
    """Why runs of a recipe are trained by Lightning and not in a stack; "" where they can be stacked.

    Args:
        recipe: Resolved on the corpus.
        experiment: Its features.
    """
    return unfit(recipe, experiment) or shortage(recipe, experiment)


def unfit(recipe: Recipe, experiment: Experiment) -> str:
    """``why_not`` as far as the recipe is the cause."""
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
        if reason := try_loss(task, choice, experiment.labelled.outputs[task]):
            return reason
    return ""


def shortage(recipe: Recipe, experiment: Experiment, beside: int = 0) -> str:
    """``why_not`` as far as memory is the cause: Lightning's way reads what does not fit from disk, by batches.

    Args:
        recipe: Says how features are kept.
        experiment: Its features.
        beside: Bytes of other features that are in memory at the same time.
    """
    needed = features_bytes(recipe, experiment)
    free = min(free_memory(), free_memory(experiment.clips.device))  # a GPU's are gathered here first
    if needed + beside <= SHARE * free:
        return ""
    others = f", those of other recipes {in_words(beside)}" if beside else ""
    return Shortage(f"they take {in_words(needed)} of memory{others}, of which {in_words(free)} are free")


def tell(recipe: Recipe, reason: str, say: Callable[[str], None]) -> None:
    """Log why runs of a recipe are not stacked, or say it where it is a ``Shortage``."""
    if isinstance(reason, Shortage):
        halve = "; with training.feature_precision=bfloat16 they take half of it"
        say(
            f"{recipe.name} trains more slowly than it could, reading its features from disk, since {reason}"
            f"{halve if recipe.training.feature_precision == 'float32' else ''}."
        )
    else:
        losses = dict.fromkeys(loss_name(task.loss) for task in recipe.tasks.values())
        log.info("%s with %s is not stacked, since %s.", recipe.name, " and ".join(losses), reason)

"""Why a recipe cannot be one of a stack, in words."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache

import torch

from affuse.fusion.base import Fusion
from affuse.models.parts import build_fusion, build_loss, build_weighting, resolve_encoders
from affuse.names import listed
from affuse.recipe import Recipe, Task
from affuse.recipe.sections import FusionChoice, loss_name
from affuse.sequence import FeatureSequence
from affuse.training.experiment import Experiment
from affuse.training.stacked.memory import SHARE, features_bytes, free_memory, in_words
from affuse.training.stacked.modules import MappedFusion, MappedLoss, stacks
from affuse.training.stacked.state import holds_tensors_only

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
    weighting = build_weighting(recipe.weighting, list(recipe.tasks))
    if weighting.gradient_based:
        return f"the weighting {recipe.weighting.name!r} looks at each task's gradient"
    if weighting.needs_losses_after_step:
        return f"the weighting {recipe.weighting.name!r} computes the losses a second time"
    if not holds_tensors_only(weighting.state_dict()):
        return f"the weighting {recipe.weighting.name!r} keeps other things than tensors"
    widths = {name: encoder.width for name, encoder in resolve_encoders(recipe).items()}
    if reason := _fusion(recipe.fusion.model_dump_json(), tuple(widths.items())):
        return reason
    for task, choice in recipe.tasks.items():
        classes = len(experiment.labelled.spaces[task])
        if reason := _loss(task, choice.model_dump_json(), classes):
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
        say(
            f"{recipe.name} trains more slowly than it could, reading its features from disk, since {reason}; with "
            "training.feature_precision=bfloat16 they take half of it."
        )
    else:
        losses = dict.fromkeys(loss_name(task.loss) for task in recipe.tasks.values())
        log.info("%s with %s is not stacked, since %s.", recipe.name, " and ".join(losses), reason)


@cache
def _fusion(choice: str, widths: tuple[tuple[str, int], ...]) -> str:
    """Tried out, where its code does not say that it computes stacks."""
    chosen = FusionChoice.model_validate_json(choice)
    with torch.random.fork_rng(devices=[]):
        fusion: Fusion = build_fusion(chosen, dict(widths))
        if stacks(fusion):
            return ""
        mapped = MappedFusion([fusion, build_fusion(chosen, dict(widths))]).train()
        mask = torch.ones(2, 3, 4, dtype=torch.bool)
        clips = {name: FeatureSequence(torch.randn(2, 3, 4, width), mask) for name, width in widths}
        return _tried(
            lambda: mapped.opinions(clips).embedding().sum().backward(),
            f"the fusion {chosen.name!r}",
        )


@cache
def _loss(task: str, choice: str, classes: int) -> str:
    chosen = Task.model_validate_json(choice)
    with torch.random.fork_rng(devices=[]):
        for number, term in enumerate(chosen.loss):
            pair = [build_loss(task, chosen, classes, 4).terms[number] for _ in range(2)]
            if stacks(pair[0]):  # type: ignore[arg-type]
                continue
            mapped = MappedLoss(pair)  # type: ignore[arg-type]
            logits, embedding = torch.randn(2, 3, classes, requires_grad=True), torch.randn(2, 3, 4)
            embedding.requires_grad_()
            labels = torch.tensor([[0, 1, -1], [1, 1, 0]])
            reason = _tried(
                lambda mapped=mapped, given=(logits, embedding, labels): (
                    mapped.reduced(*given).sum().backward()
                ),
                f"the loss {term.name!r}",
            )
            if reason:
                return reason
    return ""


def _tried(attempt: Callable[[], object], what: str) -> str:
    try:
        attempt()
    except Exception as error:  # whatever somebody's code raises
        return f"{what} cannot be mapped over several networks ({str(error).strip().splitlines()[0][:120]})"
    return ""

"""Whether somebody's own fusion, loss or weighting can be one of a stack: tried out, since its code says nothing of it.

A part is refused where a stack would train something else than Lightning without a word: state that a run keeps
outside its parameters, draws that all runs would share, and values that depend on what fills up a batch.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn

from affuse.fusion.base import Fusion
from affuse.layers import Dropout
from affuse.losses import TaskLoss
from affuse.losses.base import Kind, blanked
from affuse.models.parts import build_fusion, build_loss, build_weighting
from affuse.parts import registry
from affuse.recipe import Recipe, Task
from affuse.recipe.sections import FusionChoice
from affuse.sequence import FeatureSequence
from affuse.training.random_state import seeded
from affuse.training.stacked.modules import MappedFusion, MappedLoss, stacked, stacks
from affuse.training.stacked.state import holds_tensors_only
from affuse.weighting.base import Weighting


def try_fusion(choice: FusionChoice, widths: dict[str, int]) -> str:
    """Why a fusion cannot be one of a stack; "" where it can."""
    # by the class too: a notebook's cell may be run again with another class of that name
    return _fusion(registry.get("fusions", choice.name), choice.model_dump_json(), tuple(widths.items()))


def try_loss(task: str, choice: Task, outputs: int) -> str:
    """Why a task's loss cannot be one of a stack, with so many outputs of the network; "" where it can."""
    kinds = tuple(registry.get("losses", term.name) for term in choice.loss)
    return _loss(kinds, task, choice.model_dump_json(), outputs)


def try_weighting(recipe: Recipe) -> str:
    """Why a weighting cannot be used in a stack; "" where it can."""
    what = f"the weighting {recipe.weighting.name!r}"
    weighting = build_weighting(recipe.weighting, list(recipe.tasks))
    if weighting.gradient_based or type(weighting).backward is not Weighting.backward:
        return f"{what} looks at each task's gradient"
    if weighting.needs_losses_after_step:
        return f"{what} computes the losses a second time"
    if not holds_tensors_only(weighting.state_dict()):
        return f"{what} keeps other things than tensors"
    with seeded(0):
        losses = {task: torch.tensor(1.0, requires_grad=True) for task in weighting.tasks}
        return _shared_draws(lambda: weighting(losses), what)


def _labels(kind: Kind, outputs: int) -> Tensor:
    """Of two runs, three utterances each; the first run's last one is blank."""
    if kind == "classes":
        return torch.tensor([[0, 1, -1], [1, 1, 0]])
    if kind == "regression":
        return torch.tensor([[-0.5, 0.75, torch.nan], [0.25, 0.25, -1.0]])
    rows = torch.rand(2, 3, outputs)
    rows = rows / rows.sum(-1, keepdim=True) if kind == "distribution" else rows.round()
    return blanked(rows, torch.tensor([[True, True, False], [True] * 3]))


@cache
def _fusion(kind: type[Fusion], choice: str, widths: tuple[tuple[str, int], ...]) -> str:
    chosen = FusionChoice.model_validate_json(choice)
    with seeded(0):
        fusion = build_fusion(chosen, dict(widths))
        if stacks(fusion) and registry.is_own("fusions", chosen.name):
            return ""
        what = f"the fusion {chosen.name!r}"
        pair = [fusion, build_fusion(chosen, dict(widths))]
        mask = torch.ones(2, 3, 4, dtype=torch.bool)
        clips = {name: FeatureSequence(torch.randn(2, 3, 4, width), mask) for name, width in widths}
        first = {name: FeatureSequence(one.values[0], one.mask[0]) for name, one in clips.items()}
        fewer = {name: FeatureSequence(one.values[:2], one.mask[:2]) for name, one in first.items()}

        def alone(given: dict[str, FeatureSequence]) -> Tensor:
            return fusion.opinions(given).embedding()

        if stacks(fusion):
            if reason := _own_state(_but_dropout(fusion), lambda: alone(first), what):
                return reason
            fusion.eval()  # dropout draws otherwise in a stack
            both = stacked(pair).eval()
            return _stacked(lambda: both.opinions(clips).embedding()[0], alone(first), what)
        mapped = MappedFusion(pair).train()
        return (
            _mapped(lambda: mapped.opinions(clips).embedding().sum().backward(), what)
            or _own_state(fusion, lambda: alone(first), what)
            or _unlike(alone(first)[:2], alone(fewer), f"{what} lets an utterance depend on its batch")
        )


@cache
def _loss(kinds: tuple[type[TaskLoss], ...], task: str, choice: str, outputs: int) -> str:
    chosen = Task.model_validate_json(choice)
    with seeded(0):
        for number, term in enumerate(chosen.loss):
            pair = [build_loss(task, chosen, outputs, 4).terms[number] for _ in range(2)]
            assert all(isinstance(one, TaskLoss) for one in pair)
            if stacks(pair[0]) and registry.is_own("losses", term.name):  # type: ignore[arg-type]
                continue
            if reason := _try_loss(pair, outputs, f"the loss {term.name!r}"):  # type: ignore[arg-type]
                return reason
    return ""


def _try_loss(pair: list[TaskLoss], outputs: int, what: str) -> str:
    first = pair[0]
    if type(first).forward is not TaskLoss.forward:
        return f"{what} has a forward of its own"
    logits, embedding = torch.randn(2, 3, outputs, requires_grad=True), torch.randn(2, 3, 4)
    embedding.requires_grad_()
    labels = _labels(first.fits, outputs)

    def alone(n: int) -> Tensor:
        return first.reduced(logits[0, :n], embedding[0, :n], labels[0, :n])

    if stacks(first):
        if reason := _own_state(_but_dropout(first), lambda: alone(3), what):
            return reason
        first.eval()
        both = stacked(pair).eval()
        reason = _stacked(lambda: both.reduced(logits, embedding, labels)[0], alone(3), what)
        return reason or _unlike(alone(3), alone(2), f"{what} counts utterances without a label")
    mapped = MappedLoss(pair).train()
    return (
        _mapped(lambda: mapped.reduced(logits, embedding, labels).sum().backward(), what)
        or _own_state(first, lambda: alone(3), what)
        or _unlike(alone(3), alone(2), f"{what} counts utterances without a label")
    )


def _mapped(attempt: Callable[[], object], what: str) -> str:
    try:
        attempt()
    except Exception as error:  # whatever somebody's code raises
        return f"{what} cannot be mapped over several networks ({_first_line(error)})"
    return ""


def _stacked(attempt: Callable[[], Tensor], alone: Tensor, what: str) -> str:
    """Where its class declares ``stacks``, and computes something else for a stack."""
    reason = f"{what} declares stacks, and computes a stack otherwise than one network"
    try:
        return _unlike(attempt(), alone, reason)
    except Exception as error:  # whatever somebody's code raises
        return f"{reason} ({_first_line(error)})"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]


def _but_dropout(module: nn.Module) -> nn.Module:
    """In training, but for affuse's dropout, whose draws are a run's own in a stack."""
    module.train()
    for part in module.modules():
        if isinstance(part, Dropout):
            part.eval()
    return module


def _own_state(module: nn.Module, attempt: Callable[[], object], what: str) -> str:
    """Where buffers change: only parameters are a run's own in a stack."""
    before = copy.deepcopy(module.state_dict())
    reason = _shared_draws(attempt, what)
    after = module.state_dict()
    changed = [name for name, value in before.items() if not _same(value, after[name])]
    module.load_state_dict(before)
    return reason or (f"{what} changes its {changed[0]} as it computes" if changed else "")


def _shared_draws(attempt: Callable[[], object], what: str) -> str:
    before = torch.get_rng_state()
    attempt()
    if torch.equal(before, torch.get_rng_state()):
        return ""
    return f"{what} draws from torch's random state, which all runs share"


def _same(one: object, other: object) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return torch.equal(one.nan_to_num(), other.nan_to_num())
    return one == other


def _unlike(one: Tensor, other: Tensor, reason: str) -> str:
    if one.shape != other.shape:
        return reason
    return "" if torch.allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True) else reason

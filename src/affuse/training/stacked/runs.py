"""The runs of a stack from their first files to their results."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from affuse.errors import AffuseError
from affuse.recipe import Recipe
from affuse.training.experiment import Experiment
from affuse.training.failures import NonFiniteLoss
from affuse.training.run import Report, Wanted, begin_run, end_diverged, end_run
from affuse.training.runfolder import RunResult
from affuse.training.stacked.features import Features
from affuse.training.stacked.member import Member
from affuse.training.stacked.network import pools
from affuse.training.stacked.training import Saving, train_stack
from affuse.training.threads import torch_threads

_LOADING = threading.Lock()


@dataclass(eq=False)
class StackCell:
    """One run to be trained in a stack.

    Args:
        experiment: What ``set_up`` made ready.
        recipe: Of the run.
        fold: Of the experiment's split.
        folder: The run folder.
        report: Called with (epoch, its row of ``metrics.csv``) after each epoch.
    """

    experiment: Experiment
    recipe: Recipe
    fold: int
    folder: Path
    report: Report | None = None


def train_stacked(
    cells: Sequence[StackCell],
    wanted: Wanted,
    stopped: Callable[[], bool] = lambda: False,
    saving: Saving | None = None,
) -> Iterator[tuple[StackCell, RunResult | AffuseError]]:
    """Train runs of one shape side by side, and yield each with its result, or the error that ended it.

    Args:
        cells: Of one shape (``plan.stack_key``).
        wanted: What every run leaves.
        stopped: Asked before each step, and before a run begins or ends; True ends all with KeyboardInterrupt.
        saving: When states are written; None: every 20 seconds.
    """
    members: list[Member] = []
    cell_of: dict[int, StackCell] = {}
    for cell in cells:
        if stopped():
            raise KeyboardInterrupt
        try:
            features = features_of(cell.experiment, cell.recipe)
            run = begin_run(cell.experiment, cell.recipe, cell.fold, cell.folder, wanted, features.sources())
            member = Member(run, features)
        except AffuseError as error:
            yield cell, error
            continue
        members.append(member)
        cell_of[id(member)] = cell

    def report(member: Member) -> None:
        told = cell_of[id(member)].report
        if told is not None:
            told(member.epoch, member.history[-1])

    if not members:
        return
    model, device = members[0].run.model, members[0].run.device
    # what several threads add up differs in its last bits; small networks are slower by them too
    with torch_threads(1 if pools(model) else torch.get_num_threads()):
        for member, error in train_stack(members, device, report, stopped, saving):
            if stopped():  # to predict and write takes a moment for each run, and many may end at once
                raise KeyboardInterrupt
            with torch_threads(1):
                found = _end(member, error)
            yield cell_of[id(member)], found


def _end(member: Member, error: NonFiniteLoss | None) -> RunResult | AffuseError:
    run, best = member.run, member.best
    try:
        if error is None:
            return end_run(run, member.history, best.epoch)
        return end_diverged(run, member.history, best.epoch, best.weights, error)
    except AffuseError as failure:
        return failure


def features_of(experiment: Experiment, recipe: Recipe) -> Features:
    """The experiment's features in memory, read when they are first asked for; all runs of a grid share them."""
    precision = recipe.training.feature_precision
    name = features_name(recipe, experiment)
    with _LOADING:
        if name not in experiment.in_memory:
            experiment.in_memory[name] = Features.load(
                experiment.clips.open(), experiment.usable_ids, precision, experiment.clips.device
            )
        return experiment.in_memory[name]


def features_name(recipe: Recipe, experiment: Experiment) -> str:
    """Which features runs of a recipe read: those with the same text share them."""
    return f"{experiment.features_key} {recipe.training.feature_precision}"

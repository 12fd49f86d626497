"""Training the cells of a comparison: stacks in threads of this process, other runs one by one or in processes."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch

from affuse.allocation import keep_freed_memory
from affuse.devices import threads_per_run
from affuse.errors import AffuseError
from affuse.models.parts import only_here
from affuse.names import counted
from affuse.progress import Progress
from affuse.recipe import Recipe
from affuse.training.cells import Cell
from affuse.training.epoch_count import EpochCount
from affuse.training.experiment import Experiment
from affuse.training.run import Wanted, finished
from affuse.training.runfolder import RunResult
from affuse.training.stacked.memory import Room, features_bytes, in_words, pooled_bytes, tables_of
from affuse.training.stacked.network import loss_shape
from affuse.training.stacked.plan import cut, largest_stack, stack_key
from affuse.training.stacked.reasons import shortage, tell, unfit
from affuse.training.stacked.runs import StackCell, features_name, train_stacked
from affuse.training.threads import torch_threads
from affuse.workers import begin_worker, worker_pool

Found = tuple[Cell, RunResult | AffuseError]
log = logging.getLogger("affuse.training")
_LOOK = 1.0  # seconds between two looks at how far the runs are


def run_cells(
    experiments: Sequence[Experiment],
    cells: Sequence[Cell],
    waiting: Sequence[Cell],
    jobs: int,
    wanted: Wanted,
    count: EpochCount,
    progress: Progress,
) -> Generator[Found]:
    """Train the cells that wait and yield each with its result, or with the error that ended it, as they are done.

    A run's numbers do not depend on what it is stacked with, on ``jobs``, nor on what was finished before.

    Args:
        experiments: What the cells share.
        cells: All of the comparison.
        waiting: Those without a result; their numbers are those of ``count``.
        jobs: How many stacks, or processes, train at a time.
        wanted: What a run leaves.
        count: Of their epochs.
        progress: What it reports to.
    """
    numbered: list[tuple[int, Cell]] = []
    for i, cell in enumerate(waiting):
        there = _finished(experiments[cell.experiment], cell, wanted)
        if there is None:
            numbered.append((i, cell))
        else:
            count.end(i)
            yield cell, there
    if not numbered:
        return
    reasons = _reasons(experiments, cells, progress)
    stackable = [(i, cell) for i, cell in numbered if not reasons[id(cell)]]
    others = [(i, cell) for i, cell in numbered if reasons[id(cell)]]
    if stackable:
        stacks, at_once = _stacks(experiments, stackable, jobs, progress)
        yield from _run_stacks(stacks, min(at_once, len(stacks)), wanted, count)
    if others:
        threads = threads_per_run(sum(bool(reason) for reason in reasons.values()))
        here = sorted({part for _, cell in others for part in only_here(cell.variant.recipe)})
        if here and jobs > 1:
            progress.say(f"Some runs are made one by one: a script or notebook defines {' and '.join(here)}.")
        jobs = 1 if here else min(jobs, len(others))
        if jobs == 1:
            yield from _run_here(experiments, others, threads, wanted, count)
        else:
            yield from _run_in_processes(experiments, others, jobs, threads, wanted, count)


def _finished(experiment: Experiment, cell: Cell, wanted: Wanted) -> RunResult | AffuseError | None:
    """What a kept model is enough for, without training again."""
    try:
        return finished(experiment, cell.variant.recipe, cell.fold, cell.folder, wanted)
    except AffuseError as error:
        return error


def _reasons(experiments: Sequence[Experiment], cells: Sequence[Cell], progress: Progress) -> dict[int, str]:
    """Cell -> why it cannot be one of a stack, "" where it can; every reason is told once."""
    by_recipe: dict[tuple[str, int], str] = {}
    reasons: dict[int, str] = {}
    features: dict[str, int] = {}  # bytes of those that stacks will read
    shortages: dict[str, str] = {}
    for cell in cells:
        recipe = cell.variant.recipe
        key = recipe.model_copy(update={"seed": 0}).model_dump_json(), cell.experiment
        if key not in by_recipe:
            experiment = experiments[cell.experiment]
            name = features_name(recipe, experiment)
            reason = unfit(recipe, experiment)
            if reason:
                tell(recipe, reason, progress.say)
            elif name not in shortages:  # asked once: what is free varies
                shortages[name] = shortage(recipe, experiment, sum(features.values()))
                if shortages[name]:
                    tell(recipe, shortages[name], progress.say)
                else:
                    features[name] = features_bytes(recipe, experiment)
            by_recipe[key] = reason or shortages[name]
        reasons[id(cell)] = by_recipe[key]
    return reasons


def _stacks(
    experiments: Sequence[Experiment], cells: Sequence[tuple[int, Cell]], jobs: int, progress: Progress
) -> tuple[list[list[_Place]], int]:
    """The stacks, and how many of them may train at a time."""
    shapes: dict[str, list[tuple[int, Cell]]] = {}
    for i, cell in cells:
        shapes.setdefault(stack_key(cell.variant.recipe, experiments[cell.experiment]), []).append((i, cell))
    firsts: dict[str, tuple[Recipe, Experiment]] = {}
    for key, members in shapes.items():
        cell = members[0][1]
        firsts[key] = cell.variant.recipe, experiments[cell.experiment]
    largest_of = {
        key: largest_stack(recipe, experiment.labelled.names, experiment.clips.device)
        for key, (recipe, experiment) in firsts.items()
    }
    unread = {features_name(*first): features_bytes(*first) for first in firsts.values()}
    pooled = max(
        pooled_bytes(*first) * tables_of(first[0], len(_training_parts(shapes[key])), largest_of[key])
        for key, first in firsts.items()
    )
    rooms = {key: Room.of(*first, sum(unread.values()) + jobs * pooled) for key, first in firsts.items()}
    at_once = min(jobs, *(room.runs for room in rooms.values()))
    stacks: list[list[_Place]] = []
    for key, members in shapes.items():
        (recipe, _), room = firsts[key], rooms[key]
        largest = largest_of[key]
        allowed = min(largest, room.runs // at_once)
        parts = cut(members, allowed, at_once, lambda one: loss_shape(one[1].variant.recipe))
        sizes = f"{counted(len(parts), 'stack')} of up to {max(map(len, parts))}"
        if at_once < min(jobs, len(members)) or (allowed < largest and len(members) > at_once * allowed):
            progress.say(
                f"{counted(len(members), 'run')} of {recipe.name} would take "
                f"{in_words(len(members) * room.of_run)} of memory, of which {in_words(room.free)} are free: made in "
                f"{sizes}, {at_once} at a time."
            )
        log.info("%s: %s in %s.", recipe.name, counted(len(members), "run"), sizes)
        for part in parts:
            stacks.append([_Place(i, one, _stack_cell(experiments, one)) for i, one in part])
    return stacks, at_once


def _training_parts(cells: Sequence[tuple[int, Cell]]) -> set[tuple[int, int]]:
    """Experiment and fold of every cell."""
    return {(cell.experiment, cell.fold) for _, cell in cells}


class _Place(NamedTuple):
    """A run of a stack: its number for the count, and what it is here and there."""

    number: int
    cell: Cell
    run: StackCell


class _Epoch(NamedTuple):
    """Epoch ``number`` of a run is done."""

    run: int
    number: int


def _tell(found: queue.SimpleQueue[Any], run: int, epoch: int, row: dict[str, float]) -> None:
    found.put(_Epoch(run, epoch))


def _stack_cell(experiments: Sequence[Experiment], cell: Cell) -> StackCell:
    return StackCell(experiments[cell.experiment], cell.variant.recipe, cell.fold, cell.folder)


def _run_stacks(
    stacks: Sequence[Sequence[_Place]], jobs: int, wanted: Wanted, count: EpochCount
) -> Generator[Found]:
    """In threads: the features are there once, and PyTorch's operations leave Python's lock."""
    # epochs and ends of runs, what went wrong, and None for each stack that has ended
    found: queue.SimpleQueue[_Epoch | tuple[StackCell, RunResult | AffuseError] | BaseException | None]
    found = queue.SimpleQueue()
    stop = threading.Event()
    places = {id(place.run): place for stack in stacks for place in stack}

    def train(stack: Sequence[_Place]) -> None:
        try:
            torch.set_num_threads(1)  # of this thread
            for place in stack:
                place.run.report = partial(_tell, found, place.number)
            if not stop.is_set():
                for one in train_stacked([place.run for place in stack], wanted, stop.is_set):
                    found.put(one)
        except BaseException as error:  # the other thread raises it
            found.put(error)
        finally:
            found.put(None)

    with torch_threads(1), ThreadPoolExecutor(jobs, thread_name_prefix="stack") as pool:
        for stack in stacks:
            pool.submit(train, stack)
        going = len(stacks)
        try:
            while going:
                one = found.get()
                if isinstance(one, _Epoch):
                    count.reporting(one.run)(one.number, {})
                elif one is None:
                    going -= 1
                elif isinstance(one, BaseException):
                    raise one
                else:
                    place = places[id(one[0])]
                    count.end(place.number)
                    yield place.cell, one[1]
        finally:
            stop.set()


def _run_here(
    experiments: Sequence[Experiment],
    cells: Sequence[tuple[int, Cell]],
    threads: int,
    wanted: Wanted,
    count: EpochCount,
) -> Generator[Found]:
    from affuse.training.lightning.training import train_with_lightning

    with torch_threads(threads):
        for i, cell in cells:
            found: RunResult | AffuseError
            try:
                found = train_with_lightning(
                    experiments[cell.experiment], cell.variant.recipe, cell.fold, cell.folder, wanted,
                    count.reporting(i),
                )  # fmt: skip
            except AffuseError as error:
                found = error
            count.end(i)
            yield cell, found


def _run_in_processes(
    experiments: Sequence[Experiment],
    cells: Sequence[tuple[int, Cell]],
    jobs: int,
    threads: int,
    wanted: Wanted,
    count: EpochCount,
) -> Generator[Found]:
    ends = " Finished cells are kept."
    sent = [replace(one, in_memory={}) for one in experiments]
    with worker_pool(jobs, _begin_worker, sent, count.done, threads, kept=ends) as pool:
        futures = {pool.submit(_run_cell, i, cell, wanted): (i, cell) for i, cell in cells}
        running = set(futures)
        while running:
            ended, running = wait(running, _LOOK, FIRST_COMPLETED)
            count.show()
            for future in ended:
                found: RunResult | AffuseError
                try:
                    found = future.result()
                except AffuseError as error:
                    found = error
                i, cell = futures[future]
                count.end(i)
                yield cell, found


# of a worker process
_experiments: list[Experiment] = []
_epochs_done: list[Any] = []  # the one shared array of ``EpochCount``


def _begin_worker(experiments: list[Experiment], epochs_done: Any, threads: int) -> None:
    begin_worker()
    keep_freed_memory()
    torch.set_num_threads(threads)
    _experiments[:] = experiments
    _epochs_done[:] = [epochs_done]


def _run_cell(run: int, cell: Cell, wanted: Wanted) -> RunResult:
    from affuse.training.lightning.training import train_with_lightning

    def report(epoch: int, row: dict[str, float]) -> None:
        _epochs_done[0][run] = epoch

    return train_with_lightning(
        _experiments[cell.experiment], cell.variant.recipe, cell.fold, cell.folder, wanted, report
    )

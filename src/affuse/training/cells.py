"""The runs of a comparison: which there are, and running them, one after another or spread over processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import torch

from affuse.corpora.corpus import Corpus
from affuse.errors import AffuseError, argument
from affuse.files import digest
from affuse.progress import Progress
from affuse.recipe import Recipe
from affuse.training.cache import FeatureCache
from affuse.training.comparison_folder import run_folder
from affuse.training.epoch_count import EpochCount
from affuse.training.experiment import Experiment, check_network, resolve, set_up
from affuse.training.fold import train_fold
from affuse.training.runfolder import RunResult
from affuse.training.svm import check_keepable, check_subsets
from affuse.training.variants import Variant, describe, folder_name
from affuse.workers import begin_worker, worker_pool


class Cell(NamedTuple):
    """One run to make.

    variant: with the recipe resolved on the corpus.
    experiment: the number of the one that has its features and split.
    fold: of that split.
    folder: the run folder.
    """

    variant: Variant
    experiment: int
    fold: int
    folder: Path


class Kept(TypedDict):
    """What a run leaves besides its predictions; see ``train_fold``."""

    keep_model: bool
    subsets: bool


def plan_cells(
    variants: Sequence[Variant],
    corpus: Corpus,
    out: Path,
    cache: FeatureCache,
    progress: Progress,
    *,
    folds: Sequence[int] | None,
    device: str,
    kept: Kept,
) -> tuple[list[Experiment], list[Cell]]:
    """Every run of the variants, and the experiments that they share: features are computed once.

    Raises:
        AffuseError: for a recipe that does not fit the corpus, a fold that is not there, and two variants that would
            have one folder or one row of the table.
    """
    experiments: list[Experiment] = []
    known: dict[str, int] = {}
    cells: list[Cell] = []
    for variant in variants:
        recipe = resolve(variant.recipe, corpus)
        if kept["subsets"]:
            check_subsets(recipe)
        if kept["keep_model"]:
            check_keepable(recipe)
        shared = _shared_part(recipe)
        if shared not in known:
            known[shared] = len(experiments)
            experiments.append(set_up(corpus, variant.recipe, cache, progress, device, folds or ()))
        experiment = experiments[known[shared]]
        check_network(recipe, experiment.labelled.spaces)
        for fold in folds if folds is not None else experiment.split.folds:
            folder = run_folder(out, folder_name(variant.settings, variant.recipe.name), fold)
            cells.append(Cell(variant._replace(recipe=recipe), known[shared], fold, folder))
    _check_distinct(cells)
    return experiments, cells


def _shared_part(recipe: Recipe) -> str:
    """Digest of what features, labels and split depend on."""
    labels = {task: (choice.classes, choice.merge) for task, choice in recipe.tasks.items()}
    # modality dropout comes after the features
    modalities = {name: part.model_copy(update={"dropout": 0.0}) for name, part in recipe.modalities.items()}
    seen = recipe.corpus.model_dump_json(), recipe.protocol.model_dump_json()
    return digest(repr(labels), *seen, repr(modalities))


def _check_distinct(cells: Sequence[Cell]) -> None:
    """Raise AffuseError if two cells have one folder, or would be counted as one: same row, seed and fold."""
    if len({cell.folder for cell in cells}) < len(cells):
        raise AffuseError(
            f"Two points of {argument('over')} have the same folder name; make their values differ more."
        )
    seen = {(*describe(cell.variant).items(), cell.variant.recipe.seed, cell.fold) for cell in cells}
    if len(seen) < len(cells):
        raise AffuseError(
            f"Two points of {argument('over')} are the same row of the table; name each loss and recipe once."
        )


def run_cells(
    experiments: list[Experiment], cells: Sequence[Cell], jobs: int, kept: Kept, count: EpochCount
) -> Iterator[tuple[Cell, RunResult | AffuseError]]:
    """Train the cells and yield each with its result, or with the error that ended it, as they are done.

    A run has one thread, here or in a worker: small networks gain nothing from several, and tables do not depend
    on the number of processes.
    """
    if jobs == 1:
        return _run_here(experiments, cells, kept, count)
    return _run_in_processes(experiments, cells, jobs, kept, count)


def _run_here(
    experiments: list[Experiment], cells: Sequence[Cell], kept: Kept, count: EpochCount
) -> Iterator[tuple[Cell, RunResult | AffuseError]]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for i, cell in enumerate(cells):
            found: RunResult | AffuseError
            try:
                found = train_fold(
                    experiments[cell.experiment], cell.variant.recipe, cell.fold, cell.folder,
                    progress=count.reporting(i), **kept,
                )  # fmt: skip
            except AffuseError as error:
                found = error
            count.end(i)
            yield cell, found
    finally:
        torch.set_num_threads(threads)


def _run_in_processes(
    experiments: list[Experiment], cells: Sequence[Cell], jobs: int, kept: Kept, count: EpochCount
) -> Iterator[tuple[Cell, RunResult | AffuseError]]:
    ends = " Finished cells are kept."
    with worker_pool(jobs, _begin_worker, experiments, count.done, kept=ends) as pool:
        futures = {
            pool.submit(_run_cell, i, cell.experiment, cell.variant.recipe, cell.fold, cell.folder, kept): i
            for i, cell in enumerate(cells)
        }
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
                count.end(futures[future])
                yield cells[futures[future]], found


_LOOK = 1.0  # seconds between two looks at how far the workers are
# of this worker process
_experiments: list[Experiment] = []
_epochs_done: list[Any] = []  # the one shared array of ``EpochCount``


def _begin_worker(experiments: list[Experiment], epochs_done: Any) -> None:
    begin_worker()
    torch.set_num_threads(1)
    _experiments[:] = experiments
    _epochs_done[:] = [epochs_done]


def _run_cell(run: int, experiment: int, recipe: Recipe, fold: int, folder: Path, kept: Kept) -> RunResult:
    def report(epoch: int, row: dict[str, float]) -> None:
        _epochs_done[0][run] = epoch

    return train_fold(_experiments[experiment], recipe, fold, folder, progress=report, **kept)

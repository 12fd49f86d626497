"""Many cells: recipes x losses x seeds x folds, finished ones skipped, the rest spread over processes."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypedDict

import pandas as pd
import torch

from affuse.corpora.corpus import Corpus
from affuse.errors import AffuseError, argument
from affuse.failures import SKIPPED
from affuse.files import digest, write_csv
from affuse.files.names import shortened
from affuse.progress import Progress
from affuse.recipe import Recipe, loss_name
from affuse.training.cache import FeatureCache
from affuse.training.comparison_folder import FAILED, check_comparison_folder, comparison_outputs, run_folder
from affuse.training.experiment import Experiment, check_network, resolve, set_up, skipped_table
from affuse.training.run import train_fold
from affuse.training.runfolder import RunFolder, RunResult
from affuse.training.svm import check_keepable, check_subsets
from affuse.workers import begin_worker, worker_pool


class Variant(NamedTuple):
    """One point of the axes: what was set, and the recipe that came of it."""

    settings: dict[str, str]  # axis -> value, as given
    recipe: Recipe
    base: Recipe | None = None  # the recipe before anything was set in it
    baseline: str = ""  # the classical classifier that stands in this row's place; "": a network


class Cell(NamedTuple):
    """One run to make: a variant, the experiment that has its features and split, and a fold."""

    variant: Variant
    experiment: int
    fold: int
    folder: Path


class Kept(TypedDict):
    """What a cell leaves besides its predictions; see ``train_fold``."""

    keep_model: bool
    subsets: bool


@dataclass
class Comparison:
    """Every cell's result, and what could not be done."""

    experiments: list[Experiment]
    cells: list[Cell]
    results: dict[Path, RunResult]
    failed: list[tuple[Cell, str]]


def make_variants(
    source: str | Path | Recipe, axes: dict[str, list[str]], overrides: Sequence[str]
) -> list[Variant]:
    """The product of the axes, in order; the axis ``recipe`` chooses the recipe itself.

    Options set for a modality that only some of the axis' recipes have are left out for the others.
    """
    modalities = {name: set(Recipe.load(name).modalities) for name in axes.get("recipe", [])}
    variants = []
    for values in itertools.product(*axes.values()):
        settings = dict(zip(axes, values, strict=True))
        chosen = settings.get("recipe", source)
        changes = [f"{axis}={value}" for axis, value in settings.items() if axis not in ("recipe", "fold")]
        absent = set().union(*modalities.values()) - modalities.get(chosen, set()) if modalities else set()
        own = [text for text in overrides if not _options_of(text, absent)]
        variants.append(Variant(settings, Recipe.load(chosen, [*own, *changes]), Recipe.load(chosen)))
    return variants


def _options_of(override: str, modalities: set[str]) -> bool:
    """Whether 'modalities.video.options.size=48' sets an option of one of ``modalities``."""
    parts = override.partition("=")[0].strip().split(".")
    return len(parts) > 3 and parts[0] == "modalities" and parts[1] in modalities and parts[2] == "options"


def compare(
    variants: Sequence[Variant],
    corpus: Corpus,
    out: str | Path,
    cache: FeatureCache,
    progress: Progress,
    *,
    folds: Sequence[int] | None = None,
    jobs: int | None = None,
    device: str = "cpu",
    keep_models: bool = False,
    subsets: bool = False,
) -> Comparison:
    """Train every variant on every fold (or on ``folds``). A finished cell is never run again.

    Cells run in ``jobs`` processes of one thread each (default: one per core; one process where a GPU is
    used): small networks gain nothing from several threads. A cell whose loss diverges is reported and the
    others go on. ``subsets`` tests every subset of each cell's modalities too.
    """
    out = Path(out)
    outputs = comparison_outputs(out)
    check_comparison_folder(out, outputs)
    experiments: list[Experiment] = []
    known: dict[str, int] = {}
    cells: list[Cell] = []
    for variant in variants:
        recipe = resolve(variant.recipe, corpus)
        if subsets:
            check_subsets(recipe)
        if keep_models:
            check_keepable(recipe)
        shared = _shared_part(recipe)
        if shared not in known:
            known[shared] = len(experiments)
            experiments.append(set_up(corpus, variant.recipe, cache, progress, device, folds or ()))
        experiment = experiments[known[shared]]
        check_network(recipe, experiment.labelled.spaces)
        for fold in folds if folds is not None else experiment.split.folds:
            folder = run_folder(out, slug(variant.settings, variant.recipe.name), fold)
            cells.append(Cell(variant._replace(recipe=recipe), known[shared], fold, folder))
    if len({cell.folder for cell in cells}) < len(cells):
        raise AffuseError(
            f"Two points of {argument('over')} have the same folder name; make their values differ more."
        )
    check_rows(cells)
    comparison = Comparison(experiments, cells, {}, [])
    skipped = [skip for experiment in experiments for skip in experiment.skipped]
    partial = [clip for experiment in experiments for clip in experiment.partial]
    with outputs.writing():
        table = skipped_table(list(dict.fromkeys(skipped)), list(dict.fromkeys(partial)))
        write_csv(out / SKIPPED, table)
    waiting = []
    for cell in cells:
        key = experiments[cell.experiment].key(cell.variant.recipe, cell.fold)
        run = RunFolder(cell.folder)
        done = run.result(key)
        wanting = (keep_models and not run.has_model) or (subsets and not run.has_subsets)
        if done is None or wanting:
            waiting.append(cell)
        else:
            comparison.results[cell.folder] = done
    if len(waiting) < len(cells):
        progress.say(f"{len(cells) - len(waiting)} of {len(cells)} cells are finished already.")
    advance = progress.start("training", len(waiting))
    jobs = 1 if device != "cpu" else min(jobs or os.cpu_count() or 1, max(1, len(waiting)))
    work = _run_here if jobs == 1 else _run_in_processes
    work(comparison, waiting, jobs, {"keep_model": keep_models, "subsets": subsets}, advance)
    (out / FAILED).unlink(missing_ok=True)
    if comparison.failed:
        rows = [(str(cell.folder.relative_to(out)), cause) for cell, cause in comparison.failed]
        with outputs.writing():
            write_csv(out / FAILED, pd.DataFrame(rows, columns=["run", "cause"]))
    return comparison


def _shared_part(recipe: Recipe) -> str:
    """What features, labels and split depend on."""
    labels = {task: (choice.classes, choice.merge) for task, choice in recipe.tasks.items()}
    # modality dropout comes after the features
    modalities = {name: part.model_copy(update={"dropout": 0.0}) for name, part in recipe.modalities.items()}
    seen = recipe.corpus.model_dump_json(), recipe.protocol.model_dump_json()
    return digest(repr(labels), *seen, repr(modalities))


def slug(settings: dict[str, str], name: str) -> str:
    """A folder name: 'loss=cross_entropy+center,seed=0'."""
    parts = [f"{axis}={value}" for axis, value in settings.items() if axis != "fold"]
    # no file system takes a name of more than 255 bytes, and the folder of a recipe may be a part of it
    return shortened(re.sub(r"[^\w.+=,-]", "_", ",".join(parts)) or name, 200)


def _run_here(
    comparison: Comparison,
    waiting: Sequence[Cell],
    jobs: int,
    keep: Kept,
    advance: Callable[[], None],
) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a worker: the tables do not depend on the number of processes
    try:
        for cell in waiting:
            experiment = comparison.experiments[cell.experiment]
            try:
                result = train_fold(experiment, cell.variant.recipe, cell.fold, cell.folder, **keep)
                comparison.results[cell.folder] = result
            except AffuseError as error:
                comparison.failed.append((cell, str(error)))
            advance()
    finally:
        torch.set_num_threads(threads)


def _run_in_processes(
    comparison: Comparison,
    waiting: Sequence[Cell],
    jobs: int,
    keep: Kept,
    advance: Callable[[], None],
) -> None:
    with worker_pool(jobs, _begin_worker, comparison.experiments, kept=" Finished cells are kept.") as pool:
        futures = {
            pool.submit(_run_cell, cell.experiment, cell.variant.recipe, cell.fold, cell.folder, keep): cell
            for cell in waiting
        }
        for future in as_completed(futures):
            cell = futures[future]
            try:
                comparison.results[cell.folder] = future.result()
            except AffuseError as error:
                comparison.failed.append((cell, str(error)))
            advance()


_experiments: list[Experiment] = []  # of this worker process


def _begin_worker(experiments: list[Experiment]) -> None:
    begin_worker()
    torch.set_num_threads(1)
    _experiments[:] = experiments


def _run_cell(experiment: int, recipe: Recipe, fold: int, folder: Path, keep: Kept) -> RunResult:
    return train_fold(_experiments[experiment], recipe, fold, folder, **keep)


def check_rows(cells: Sequence[Cell]) -> None:
    """AffuseError if two cells would be counted as one: the same row of the table, seed and fold."""
    seen = {(*describe(cell.variant).items(), cell.variant.recipe.seed, cell.fold) for cell in cells}
    if len(seen) < len(cells):
        raise AffuseError(
            f"Two points of {argument('over')} are the same row of the table; name each loss and recipe once."
        )


def describe(variant: Variant) -> dict[str, str]:
    """The axes that name a row of a table: recipe and loss always, then what was varied; not seed or fold."""
    recipe = variant.recipe
    if variant.baseline:
        return {"recipe": recipe.name, "loss": variant.baseline} | variant.settings
    task = "emotion" if "emotion" in recipe.tasks else next(iter(recipe.tasks))
    row = {"recipe": variant.settings.get("recipe", recipe.name), "loss": loss_name(recipe.tasks[task].loss)}
    shown = {"recipe", "loss", "tasks.emotion.loss", "seed", "fold"}
    return row | {axis: value for axis, value in variant.settings.items() if axis not in shown}

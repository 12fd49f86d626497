"""A comparison: recipes x losses x seeds x folds. A finished run is never made again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.errors import AffuseError
from affuse.failures import SKIPPED
from affuse.files import write_csv
from affuse.files.outputs import Outputs
from affuse.progress import Progress
from affuse.training.cache import FeatureCache
from affuse.training.cells import Cell, plan_cells
from affuse.training.comparison_folder import (
    FAILED,
    check_comparison_folder,
    check_same_corpus,
    comparison_outputs,
)
from affuse.training.epoch_count import EpochCount
from affuse.training.experiment import Experiment, skipped_table
from affuse.training.run import Wanted
from affuse.training.runfolder import RunFolder, RunResult
from affuse.training.running import run_cells
from affuse.training.variants import Variant, equal_rows


@dataclass
class Comparison:
    """Every run's result, and what could not be done.

    Args:
        experiments: what the cells share (``Cell.experiment`` is a number of this list).
        cells: every run, finished or not.
        results: run folder -> result.
        failed: the cells without a result, each with its cause.
    """

    experiments: list[Experiment]
    cells: list[Cell]
    results: dict[Path, RunResult] = field(default_factory=dict[Path, RunResult])
    failed: list[tuple[Cell, str]] = field(default_factory=list[tuple[Cell, str]])


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
    ready: Sequence[Experiment] = (),
) -> Comparison:
    """Train every variant on every fold. A run that fails, its loss diverging say, is listed and the others go on.

    Args:
        variants: the rows (``variants.make_variants``).
        corpus: for all of them.
        out: the comparison's folder; what is finished there is kept.
        cache: of features.
        progress: Reports features and runs.
        folds: of each split; None: all.
        jobs: how many stacks (in threads) or other runs (in processes) train at a time; None: one per core. One on a
            GPU.
        device: cpu or cuda.
        keep_models: keep every run's model folder.
        subsets: test every subset of each run's modalities too.
        ready: experiments of an earlier comparison with the same corpus, cache and device; they are used again.

    Raises:
        AffuseError: before any training, where ``out`` is no comparison's folder or a variant does not fit the corpus.
    """
    out = Path(out)
    outputs = comparison_outputs(out)
    check_same_corpus(out, corpus)
    check_comparison_folder(out, outputs)
    wanted = Wanted(model=keep_models, subsets=subsets)
    for sentence in equal_rows(variants):
        progress.say(sentence)
    comparison = Comparison(
        *plan_cells(
            variants, corpus, out, cache, progress, folds=folds, device=device, wanted=wanted, ready=ready
        )
    )
    _write_skipped(comparison, out, outputs)
    waiting = _unfinished(comparison, wanted)
    done = len(comparison.cells) - len(waiting)
    if done:
        all_of = "All" if not waiting else f"{done} of"
        ended = "; nothing was run" if not waiting else ""
        progress.say(f"{all_of} {len(comparison.cells)} runs were finished earlier{ended}.")
    count = EpochCount([cell.variant.recipe.training.epochs for cell in waiting], progress)
    jobs = 1 if device != "cpu" else jobs or os.cpu_count() or 1
    running = run_cells(comparison.experiments, comparison.cells, waiting, jobs, wanted, count, progress)
    with closing(running):  # Ctrl-C out here ends its threads, too
        for cell, found in running:
            if isinstance(found, AffuseError):
                comparison.failed.append((cell, str(found)))
            else:
                comparison.results[cell.folder] = found
    _write_failed(comparison, out, outputs)
    return comparison


def _unfinished(comparison: Comparison, wanted: Wanted) -> list[Cell]:
    """The cells that are to be run; results of the others are taken from their folders."""
    waiting: list[Cell] = []
    for cell in comparison.cells:
        run = RunFolder(cell.folder)
        done = run.result(comparison.experiments[cell.experiment].key(cell.variant.recipe, cell.fold, run))
        lacking = (wanted.model and not run.has_model) or (wanted.subsets and not run.has_subsets)
        if done is None or lacking:
            waiting.append(cell)
        else:
            comparison.results[cell.folder] = done
    return waiting


def _write_skipped(comparison: Comparison, out: Path, outputs: Outputs) -> None:
    skipped = [skip for experiment in comparison.experiments for skip in experiment.skipped]
    partial = [clip for experiment in comparison.experiments for clip in experiment.partial]
    with outputs.writing():
        table = skipped_table(list(dict.fromkeys(skipped)), list(dict.fromkeys(partial)))
        write_csv(out / SKIPPED, table)


def _write_failed(comparison: Comparison, out: Path, outputs: Outputs) -> None:
    """The list of an earlier time is taken away where nothing failed now."""
    (out / FAILED).unlink(missing_ok=True)
    if comparison.failed:
        rows = [(str(cell.folder.relative_to(out)), cause) for cell, cause in comparison.failed]
        with outputs.writing():
            write_csv(out / FAILED, pd.DataFrame(rows, columns=["run", "cause"]))

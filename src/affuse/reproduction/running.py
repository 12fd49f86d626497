"""Running a grid: ``training.compare`` with its files, so that each protocol's folder is a comparison of its own."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.corpora.selection import view
from affuse.corpora.splits.making import make_split
from affuse.errors import AffuseError
from affuse.files import write_csv
from affuse.progress import Progress
from affuse.reports.pages.comparison import write_comparison_page
from affuse.reports.record import write_record
from affuse.reports.report import Report
from affuse.reports.tables.results import collect_results
from affuse.reports.tables.run_tables import ReadRuns
from affuse.reproduction.definition import Definition, Paper
from affuse.reproduction.grid import Grid
from affuse.reproduction.utterances import check_utterances
from affuse.training.cache import FeatureCache
from affuse.training.compare import Comparison, compare
from affuse.training.comparison_folder import RESULTS, comparison_outputs
from affuse.training.data import label_table
from affuse.training.inputs import absent_modalities


def check_grid(grid: Grid, paper: Paper, definition: Definition, corpus: Corpus) -> None:
    """AffuseError for what a grid's labels, view of the corpus or split would fail at, before anything is run.

    Says in the grid where the corpus is the paper's and has other utterances than the protocol.
    """
    seen = set()
    for variant in grid.variants:
        recipe = variant.recipe
        tasks = {task: (choice.classes, choice.merge) for task, choice in recipe.tasks.items()}
        key = repr((recipe.corpus, recipe.protocol, tasks, recipe.modalities))
        if key not in seen:
            seen.add(key)
            viewed, _ = view(corpus, recipe.corpus)
            for name, what in absent_modalities(recipe, viewed).items():
                raise AffuseError(
                    f"No utterance of {corpus.info.name} has {what}, which the paper's {name} networks read; "
                    "a comparison with your own recipe leaves out a modality that the corpus lacks."
                )
            make_split(label_table(viewed, recipe).table, recipe.protocol, next(iter(recipe.tasks)))
    recipes = [variant.recipe for variant in grid.variants]
    grid.other_utterances = check_utterances(paper, definition, corpus, recipes)


def run_grid(
    grid: Grid,
    corpus: Corpus,
    out: Path,
    cache: FeatureCache,
    progress: Progress,
    jobs: int | None,
    device: str,
    command: str = "",
) -> tuple[Comparison, pd.DataFrame, pd.DataFrame]:
    """Train what is not finished; write the folder's results.csv, comparison.json and report.html.

    Returns the comparison, the rows of results.csv and those of trainings.csv.
    """
    comparison = compare(
        grid.variants, corpus, out, cache, progress, folds=grid.folds, jobs=jobs, device=device
    )
    progress.say("Writing the protocol's report.")
    read = ReadRuns()
    results = collect_results(comparison, read)
    with comparison_outputs(out).writing():
        write_csv(out / RESULTS, results)
        write_record(comparison, out, command)
        report = Report.read(out, progress, read)
        write_comparison_page(out, report, progress)
    return comparison, results, report.statistics.trainings

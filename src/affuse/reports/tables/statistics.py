"""The tables of statistics beside ``results.csv``, made from a comparison's folder alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from affuse.files import write_csv
from affuse.progress import Progress, Quiet
from affuse.reports.tables.calibration import calibration_tables
from affuse.reports.tables.convergence import reasons_of, training_table
from affuse.reports.tables.embeddings import embedding_table
from affuse.reports.tables.groups import group_table
from affuse.reports.tables.mistakes import mistakes
from affuse.reports.tables.paired import paired_tests
from affuse.reports.tables.rows import Row
from affuse.reports.tables.utterances import read_utterances
from affuse.training.comparison_folder import STATISTICS


@dataclass(frozen=True)
class Statistics:
    """Each table holds all tasks; see the functions that make them. A table without lines has no columns."""

    paired_tests: pd.DataFrame
    trainings: pd.DataFrame
    calibration: pd.DataFrame
    reliability: pd.DataFrame
    groups: pd.DataFrame
    embeddings: pd.DataFrame
    mistakes: pd.DataFrame
    utterances: pd.DataFrame


def compute_statistics(
    folder: Path, record: dict[str, Any], rows: list[Row], progress: Progress | None = None
) -> Statistics:
    """Every table, from the predictions, embeddings and ``utterances.csv`` of a comparison's folder.

    Args:
        folder: The comparison's folder.
        record: Its ``comparison.json``.
        rows: Its finished rows.
        progress: Hears of every row of every table: many rows of a large corpus take minutes. Default: nothing.
    """
    utterances = read_utterances(folder)
    spaces = {task: about["classes"] for task, about in record["tasks"].items()}
    advance = (progress or Quiet()).start("statistics of the report", 5 * len(rows) * len(spaces))

    def every(table: Callable[[str, list[str]], pd.DataFrame]) -> pd.DataFrame:
        parts = [found for task, space in spaces.items() if len(found := table(task, space))]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    calibrated = {task: calibration_tables(rows, task, space, advance) for task, space in spaces.items()}
    trained = {task: training_table(rows, task, space, advance) for task, space in spaces.items()}
    untrained = {task: reasons_of(table, rows) for task, table in trained.items()}
    return Statistics(
        paired_tests=every(
            lambda task, space: paired_tests(
                rows, task, space, utterances["speaker"], untrained[task], advance
            )
        ),
        trainings=every(lambda task, space: trained[task]),
        calibration=every(lambda task, space: calibrated[task][0]),
        reliability=every(lambda task, space: calibrated[task][1]),
        groups=every(lambda task, space: group_table(rows, task, space, utterances, advance)),
        embeddings=every(lambda task, space: embedding_table(rows, task, space, untrained[task], advance)),
        mistakes=every(lambda task, space: mistakes(rows, task, space, utterances)),
        utterances=utterances,
    )


def of_task(table: pd.DataFrame, task: str) -> pd.DataFrame:
    """The lines of one task of a table of all tasks, which may be empty."""
    return table[table["task"] == task] if len(table) else table


def write_statistics(statistics: Statistics, folder: Path) -> None:
    """Write each of STATISTICS as a CSV file of its name; one without lines is not written."""
    for name, file in STATISTICS.items():
        table: pd.DataFrame = getattr(statistics, name)
        if len(table):
            write_csv(folder / file, table)
        else:
            (folder / file).unlink(missing_ok=True)  # of other rows

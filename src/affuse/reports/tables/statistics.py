"""The tables of statistics beside ``results.csv``, made from a comparison's folder alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from affuse.evaluation.measures import ClassMeasure, RatingMeasure, measure_of
from affuse.files import write_csv
from affuse.progress import Progress, Quiet
from affuse.reports.tables.calibration import calibration_tables
from affuse.reports.tables.convergence import reasons_of, training_table
from affuse.reports.tables.embeddings import embedding_table
from affuse.reports.tables.groups import group_table
from affuse.reports.tables.mistakes import mistakes
from affuse.reports.tables.paired import paired_tests
from affuse.reports.tables.raters import rater_table
from affuse.reports.tables.ratings import rating_table
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
    ratings: pd.DataFrame
    raters: pd.DataFrame
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
    measures = [measure_of(task, about) for task, about in record["tasks"].items()]
    classes = [measure for measure in measures if isinstance(measure, ClassMeasure)]
    steps = 3 * len(measures) + 2 * len(classes)
    advance = (progress or Quiet()).start("statistics of the report", steps * len(rows))

    calibrated = [calibration_tables(rows, one.task, one.space, advance) for one in classes]
    trained = {one.task: training_table(rows, one, advance) for one in measures}
    untrained = {task: reasons_of(table, rows) for task, table in trained.items()}
    return Statistics(
        paired_tests=_joined(
            paired_tests(rows, one, utterances["speaker"], untrained[one.task], advance) for one in measures
        ),
        trainings=_joined(trained.values()),
        calibration=_joined(table for table, _ in calibrated),
        reliability=_joined(curves for _, curves in calibrated),
        groups=_joined(group_table(rows, one, utterances, advance) for one in measures),
        embeddings=_joined(
            embedding_table(rows, one.task, one.space, untrained[one.task], advance) for one in classes
        ),
        mistakes=_joined(mistakes(rows, one.task, one.space, utterances) for one in classes),
        ratings=_joined(rating_table(rows, one) for one in measures if isinstance(one, RatingMeasure)),
        raters=_joined(rater_table(rows, one, utterances["speaker"]) for one in measures),
        utterances=utterances,
    )


def _joined(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    parts = [table for table in tables if len(table)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


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

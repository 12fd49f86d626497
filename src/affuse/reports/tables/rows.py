"""The rows of a comparison's folder with their predictions: what every table and figure of a report is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from affuse.errors import AffuseError
from affuse.evaluation.measures import Measure
from affuse.reports.numbers import UNKNOWN
from affuse.reports.tables.results import tables_by_seed
from affuse.reports.tables.run_tables import ReadRuns, RunTables
from affuse.training.comparison_folder import RECORD
from affuse.training.runfolder import PREDICTIONS, RunFolder

REFERENCE = "cross_entropy"
# stands behind whatever was chosen or measured with the help of the test part
MARK = "‡"


def uncounted() -> None:
    """Called after each row of a table, where nobody counts them."""


@dataclass(frozen=True, eq=False)
class Run:
    """One finished cell of a row."""

    folder: Path
    fold: int
    seed: int
    result: dict[str, Any]  # results.json: best_epoch, utterances (role -> how many), parameters, seconds
    read: ReadRuns = field(default_factory=ReadRuns, repr=False)  # whom it shares its tables with

    @property
    def utterances(self) -> dict[str, int]:
        """Role -> how many; empty where the run does not say."""
        return self.result.get("utterances") or {}

    @property
    def kept(self) -> int | None:
        """The epoch whose weights were kept, from 1."""
        return self.result.get("best_epoch")

    @property
    def tables(self) -> RunTables:
        """Its files, each read once."""
        return self.read.of(self.folder)

    @property
    def test(self) -> pd.DataFrame:
        """Its test predictions."""
        return self.tables.test

    @property
    def validation(self) -> pd.DataFrame:
        """Its validation predictions; no rows where the protocol has none."""
        return self.tables.validation

    @property
    def metrics(self) -> pd.DataFrame:
        """``metrics.csv``, a row per epoch; empty where the run is of an older kind."""
        return self.tables.metrics


@dataclass(frozen=True, eq=False)
class Row:
    """One line of a table: all folds and seeds of one point of the axes. Every run of it is finished."""

    settings: dict[str, str]
    modalities: tuple[str, ...]
    split_hash: str
    on_test: str  # what was chosen or trained on the test part, "" where it was left alone
    runs: list[Run]
    stamp: str = ""  # "speaker-dependent" where speakers of the test part are heard in training
    baseline: bool = False  # a classical classifier on the same features, not a network

    @cached_property
    def trainings(self) -> list[Run]:
        """Its runs, each once: a baseline has no seed, and its run of a fold stands for every seed."""
        return list({run.folder: run for run in self.runs}.values())

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """The resolved recipe of its runs, by sections; empty where they kept none."""
        return self.runs[0].tables.recipe_fields

    @property
    def epochs(self) -> int | None:
        """``training.epochs``: how many its runs were allowed."""
        return self.recipe.get("training", {}).get("epochs")

    @property
    def select(self) -> str:
        """``training.select``: validation, test or last."""
        return self.recipe.get("training", {}).get("select", "validation")

    @property
    def watched(self) -> str:
        """The part that was measured after every epoch."""
        return "test" if self.select == "test" else "validation"

    @cached_property
    def tests(self) -> dict[int, pd.DataFrame]:
        """Seed -> test predictions of all folds."""
        return tables_by_seed((run.seed, run.test) for run in self.runs)

    def tables(self, measure: Measure) -> list[pd.DataFrame]:
        """One test table per seed, where it has utterances labelled for the measure's task."""
        return [table for table in self.tests.values() if measure.has_label(table)]

    def tested(self, measure: Measure) -> frozenset[tuple[int, str]]:
        """Fold and id of the test utterances that have a label of the measure's task, in every seed."""
        found = [
            set(table.loc[measure.known(table), ["fold", "id"]].itertuples(index=False, name=None))
            for table in self.tables(measure)
        ]
        return frozenset(set.intersection(*found)) if found else frozenset()

    def name_among(self, rows: Sequence[Row]) -> str:
        """The settings that tell it from ``rows``, in one line, marked if the test part was used for it."""
        axes = [a for a in self.settings if len({row.settings.get(a) for row in rows}) > 1] or ["loss"]
        axes = ["row"] if "row" in axes else axes  # the published row that 'affuse reproduce' stands for
        values = [str(self.settings[axis]) for axis in axes if axis in self.settings]
        # of a baseline that stands for several values of an axis
        text = ", ".join([value for value in values if value != UNKNOWN] or values)
        return text + (f" {MARK}" if self.on_test else "")


def read_rows(folder: Path, record: dict[str, Any], read: ReadRuns | None = None) -> list[Row]:
    """The finished rows of a comparison's folder, in its order; ``read``: what of the runs was read for this report.

    Raises AffuseError where a run that ``comparison.json`` calls finished has no predictions.
    """
    rows, read = [], read or ReadRuns()
    for entry in record["rows"]:
        if not all(cell["finished"] for cell in entry["cells"]):
            continue
        runs, on_test = [], str(entry.get("on_test") or "")
        for cell in entry["cells"]:
            place = folder / cell["folder"]
            if not RunFolder(place).has_predictions:
                raise AffuseError(
                    f"{place} has no {PREDICTIONS}, which {RECORD} names; run the same comparison again."
                )
            result = RunFolder(place).recorded()
            on_test = on_test or str(result.get("on_test") or "")
            runs.append(Run(place, cell["fold"], cell["seed"], result, read))
        about = entry["settings"], tuple(entry["modalities"]), entry["split_hash"], on_test, runs
        rows.append(Row(*about, str(entry.get("stamp") or ""), bool(entry.get("baseline"))))
    return rows


def best_single(rows: Sequence[Row], split_hash: str, measure: Measure) -> Row | None:
    """Of the rows of a split that read one modality alone: the one with the best BACC (CCC, ...) on validation.

    The mean over its runs; the test part is never looked at. None where fewer than two such modalities are there (there
    is nothing to choose from), or where they have no validation part, or all of them were chosen on the test part.
    """
    singles = [
        row
        for row in rows
        if len(row.modalities) == 1 and row.split_hash == split_hash and not (row.on_test or row.baseline)
    ]
    scores = []
    for row in singles:
        found = [
            measure.values(run.validation)[measure.main]
            for run in row.runs
            if measure.has_label(run.validation)
        ]
        if found:
            scores.append((sum(found) / len(found), row))
    if len({row.modalities for _, row in scores}) < 2:
        return None
    sign = 1 if measure.higher_is_better else -1
    return max(scores, key=lambda pair: sign * pair[0])[1]


def on_split(row: Row, rows: Sequence[Row]) -> list[Row]:
    """The rows on the same split as a row, itself included."""
    return [other for other in rows if other.split_hash == row.split_hash]


def comparable(row: Row, rows: Sequence[Row], measure: Measure) -> list[Row]:
    """The rows that a row may be compared with in a task, itself included: those that tell the task on its split.

    Where no other network does, those whose folds test the same labelled utterances: rows that learn other tasks too
    may train on more utterances, those that have labels of these alone, and so have splits of their own.
    """
    told = [other for other in rows if other.tables(measure)]
    if row not in told:
        return [row]
    same = [other for other in told if other.split_hash == row.split_hash]
    if row.baseline or any(other is not row and not other.baseline for other in same):
        return same
    mine = row.tested(measure)
    return [
        other for other in told if other in same or (not other.baseline and other.tested(measure) == mine)
    ]


def reference_of(row: Row, rows: Sequence[Row]) -> Row | None:
    """What a row is compared with: of the rows under cross-entropy, the most similar one.

    Similar: in its settings, then in its modalities.

    A row under cross-entropy itself is compared with the first one before it that has its modalities (MM-dynamic with
    MM-static, not with sound alone), else with the first of all; without any such row, all are with the first row.
    None for a row that is its own reference.

    Args:
        row: One of ``rows``.
        rows: Those that it may be compared with, in order (``comparable``, ``on_split``).
    """
    plain = [other for other in rows if other.settings["loss"] == REFERENCE] or list(rows[:1])

    def likeness(other: Row) -> tuple[int, bool]:
        same = (other.settings.get(axis) == value for axis, value in row.settings.items() if axis != "loss")
        return sum(same), other.modalities == row.modalities

    if row in plain:
        before = plain[: plain.index(row)]
        alike = [other for other in before if other.modalities == row.modalities]
        return next(iter(alike or before), None)
    return max(plain, key=likeness)

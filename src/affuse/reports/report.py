"""What every section of a report is made from, read once from a comparison's folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from affuse.errors import AffuseError
from affuse.evaluation.measures import ClassMeasure, Measure, measure_of
from affuse.files import read_csv
from affuse.progress import Progress
from affuse.reports.record import read_record
from affuse.reports.tables.results import RESULT_NUMBERS
from affuse.reports.tables.rows import MARK, Row, read_rows
from affuse.reports.tables.run_tables import ReadRuns
from affuse.reports.tables.statistics import Statistics, compute_statistics, of_task
from affuse.training.comparison_folder import RECORD, RESULTS


@dataclass(frozen=True)
class Report:
    """A comparison's folder, read. Reading computes its statistics; nothing is written."""

    folder: Path
    record: dict[str, Any]
    results: pd.DataFrame
    rows: list[Row]
    statistics: Statistics

    @classmethod
    def read(cls, folder: Path, progress: Progress | None = None, read: ReadRuns | None = None) -> Report:
        """From comparison.json, results.csv and the runs. Raises AffuseError where they are missing or damaged.

        ``progress``: hears of the statistics, which take minutes where there are many rows of a large corpus;
        ``read``: what of the runs was read for this report.
        """
        record = read_record(folder)
        results = read_results(folder)
        rows = read_rows(folder, record, read)
        return cls(folder, record, results, rows, compute_statistics(folder, record, rows, progress))

    @property
    def title(self) -> str:
        """Of page and Markdown."""
        return f"{self.record['corpus']['title']}: comparison"

    @cached_property
    def on_test(self) -> list[str]:
        """What was chosen or trained on the test part, each once."""
        return list(dict.fromkeys(row.on_test for row in self.rows if row.on_test))

    @cached_property
    def stamp_note(self) -> str:
        """Which rows are speaker-dependent, for every table that leaves the page; '' where none is."""
        stamped = [row for row in self.rows if row.stamp]
        if not stamped:
            return ""
        names = ", ".join(row.name_among(self.rows) for row in stamped)
        which = "All rows are" if len(stamped) == len(self.rows) else f"{names}: these rows are"
        return f"{which} {stamped[0].stamp}: speakers of the test part are also in the training part."

    @cached_property
    def untrained_note(self) -> str:
        """Which rows did not train well enough for a verdict, for tables that leave the page; '' where all did."""
        table = self.statistics.trainings
        lines = table[table["trainings"] != ""].to_dict("records") if len(table) else []
        several = len(self.record["tasks"]) > 1
        told = [
            f"{self.name_of(of)}{', ' + of['task'] if several else ''}: {of['trainings']}" for of in lines
        ]
        return f"Not trained well enough to be judged: {'; '.join(told)}." if told else ""

    @property
    def failed_note(self) -> str:
        """Which rows are left out because runs of theirs failed; '' where none did."""
        entries = self.record["rows"]
        told = []
        for entry in entries:
            failed = sum(not cell["finished"] for cell in entry["cells"])
            if failed:
                axes = [a for a in entry["settings"] if len({e["settings"].get(a) for e in entries}) > 1]
                name = ", ".join(str(entry["settings"][axis]) for axis in axes or entry["settings"])
                told.append(f"{name} ({failed} of {len(entry['cells'])} runs)")
        return f"Left out, because runs failed: {'; '.join(told)}." if told else ""

    @property
    def notes(self) -> str:
        """What must be said of the numbers wherever they go."""
        return " ".join(
            filter(None, (self.stamp_note, self.untrained_note, self.failed_note, self.mark_note))
        )

    def with_trainings(self, table: pd.DataFrame, task: str) -> pd.DataFrame:
        """A table with a line per row, that begins with the settings, and whether each row trained.

        The column is left out where all did.
        """
        trainings = self.of_task(self.statistics.trainings, task)
        if not len(trainings) or not (trainings["trainings"] != "").any():
            return table
        told = {self.name_of(line): line["trainings"] for line in trainings.to_dict("records")}
        words = [told.get(self.name_of(line), "") for line in table.to_dict("records")]
        return table.assign(trainings=[f"not judged: {text}" if text else "trained" for text in words])

    @property
    def mark_note(self) -> str:
        """What the sign behind a row means; '' where no row has it."""
        if not self.on_test:
            return ""
        return (
            f"{MARK} The test part was used to make this row ({'; '.join(self.on_test)}), so its numbers are no "
            "estimate for new speakers."
        )

    @cached_property
    def measures(self) -> dict[str, Measure]:
        """Task -> what it is measured by."""
        return {task: measure_of(task, about) for task, about in self.record["tasks"].items()}

    @property
    def classified(self) -> dict[str, ClassMeasure]:
        """The tasks of them that have classes."""
        return {task: one for task, one in self.measures.items() if isinstance(one, ClassMeasure)}

    def classes(self, task: str) -> list[str]:
        """The classes in order, of a task that has them."""
        return self.record["tasks"][task]["classes"]

    def name_of(self, line: Mapping[Any, Any]) -> str:
        """The short name of a table's line that begins with the settings, marked."""
        for row in self.rows:
            if all(str(line[axis]) == str(value) for axis, value in row.settings.items()):
                return row.name_among(self.rows)
        raise AffuseError(
            f"{self.folder}: {RESULTS} and {RECORD} are not of the same comparison; run the same "
            "comparison again to write both."
        )

    def of_task(self, table: pd.DataFrame, task: str) -> pd.DataFrame:
        """The lines of one task of a table that may be empty."""
        return of_task(table, task)

    def of_row(self, table: pd.DataFrame, row: Row) -> pd.DataFrame:
        """The lines of one row of a table that begins with the settings."""
        if not len(table):
            return table
        same = pd.Series(True, index=table.index)
        for axis, value in row.settings.items():
            same &= table[axis].astype(str) == str(value)
        return table[same]


def read_results(folder: Path) -> pd.DataFrame:
    """``results.csv``, settings as text. Raises AffuseError where there is none."""
    path = folder / RESULTS
    if not path.is_file():
        raise AffuseError(f"{path} is missing; run the same comparison again to write it.")
    table = read_csv(path, RESULT_NUMBERS)
    return table if len(table.columns) else pd.DataFrame(columns=["task"])

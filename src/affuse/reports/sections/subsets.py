"""Missing modalities: every model from every subset of its modalities, where ``--subsets`` was asked for."""

from __future__ import annotations

from affuse.reports.blocks import Cell, Prose, Section, Table
from affuse.reports.report import Report
from affuse.reports.tables.subsets import read_subsets, subset_table

_NOTE = (
    "Each trained model, tested on the same utterances with only the named modalities; the others are masked as if "
    "they were missing. In percent: mean over seeds ± standard deviation over seeds [95 % interval over speakers]. n: "
    "the utterances that have at least one of these modalities."
)


def sections(report: Report) -> list[Section]:
    """One section per task of ``subsets.csv``."""
    found = read_subsets(report.folder)
    made = []
    for task in dict.fromkeys(found["task"]) if len(found) else ():
        table = subset_table(found, str(task))
        lines = [[Cell(str(value)) for value in line] for line in table.to_numpy().tolist()]
        title = f"Missing modalities: {task}" + (
            " (generated corpus)" if report.record["corpus"]["generated"] else ""
        )
        made.append(Section(title, [Table(list(table.columns), lines), Prose(_NOTE, "soft")], paper=True))
    return made

"""The utterances that most rows get wrong, and those they are surest about while wrong, with links to the clips."""

from __future__ import annotations

import pandas as pd

from affuse.reports.blocks import Block, Cell, Heading, Prose, Section, Table
from affuse.reports.numbers import percent_cell
from affuse.reports.report import Report
from affuse.training.comparison_folder import STATISTICS

_SHOWN = 15
_ABOUT = ("speaker", "scenario", "dialog")


def section(report: Report) -> Section | None:
    """Two tables per task."""
    blocks: list[Block] = []
    for task in report.record["tasks"]:
        table = report.of_task(report.statistics.mistakes, task)
        if not len(table):
            continue
        of = f" ({task})" if len(report.record["tasks"]) > 1 else ""
        tested = max(len({*t["id"]}) for row in report.rows for t in row.tables(task, report.classes(task)))
        always = int((table["wrong"] == 1).sum())
        text = (
            f"{len(table)} of {tested} test utterances are called wrongly by some run, {always} by every "
            "one; those may be hard, or their labels may be. All of them are in "
            f"{STATISTICS['mistakes']}. A link opens the clip while the corpus is where it was; "
            "the words are not copied here, since a report is passed on more freely than a corpus."
        )
        sure = table.sort_values(["confidence", "wrong", "id"], ascending=[False, False, True])
        blocks += [Prose(text), Heading(f"What most runs get wrong{of}"), _table(table)]
        blocks += [Heading(f"Surest mistakes{of}"), _table(sure)]
    return Section("Mistakes, utterance by utterance", blocks) if blocks else None


def _table(table: pd.DataFrame) -> Table:
    about = [name for name in _ABOUT if name in table.columns and table[name].notna().any()]
    lines = []
    for one in table.head(_SHOWN).to_dict("records"):
        clip = one.get("clip")
        line = [Cell(str(one["id"]), href=clip if isinstance(clip, str) else "")]
        line += [Cell(str(one["label"])), Cell(str(one["called"])), percent_cell(one["wrong"])]
        line += [percent_cell(one["confidence"])]
        lines.append([*line, *(Cell("" if one[name] != one[name] else str(one[name])) for name in about)])
    shown = ["dialog type" if name == "scenario" else name for name in about]
    return Table(["utterance", "label", "called", "wrong, % of runs", "mean confidence, %", *shown], lines)

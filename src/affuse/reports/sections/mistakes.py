"""The utterances that most runs get wrong, the most confident mistakes first, with links to the clips."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from affuse.names import counted
from affuse.reports.blocks import Block, Cell, Heading, Prose, Section, Table
from affuse.reports.numbers import percent_cell
from affuse.reports.report import Report
from affuse.training.comparison_folder import STATISTICS

_SHOWN = 15
_ABOUT = ("speaker", "scenario", "dialog")


def section(report: Report) -> Section | None:
    """A table per task; None without mistakes."""
    tested = {
        task: max(
            (len({*t["id"]}) for row in report.rows for t in row.tables(measure)),
            default=0,
        )
        for task, measure in report.classified.items()
    }
    runs = max((len(row.runs) for row in report.rows), default=1) * len(report.rows)
    return make_section(report.statistics.mistakes, tested, runs)


def make_section(mistakes: pd.DataFrame, tested: Mapping[str, int], runs: int) -> Section | None:
    """A table per task of ``tables.mistakes``.

    Args:
        mistakes: Of all tasks.
        tested: Task -> labelled test utterances.
        runs: How many runs are compared; of one, no share of the runs is given.
    """
    blocks: list[Block] = []
    for task, count in tested.items():
        table = mistakes[mistakes["task"] == task] if len(mistakes) else mistakes
        if not len(table):
            continue
        if len(tested) > 1:
            blocks.append(Heading(task))
        blocks += [Prose(_in_words(table, count, runs)), _table(table, runs)]
    return Section("Mistakes, utterance by utterance", blocks) if blocks else None


def _in_words(table: pd.DataFrame, tested: int, runs: int) -> str:
    wrong = f"{len(table)} of {counted(tested, 'test utterance')}"
    if runs == 1:
        said = f"{wrong} got a wrong answer. These are the ones with the highest confidence."
    else:
        always = int((table["wrong"] == 1).sum())
        said = (
            f"{wrong} got a wrong answer from some run, {always} from every run; those are hard, or wrongly labelled. "
            "The table shows those that most runs get wrong, and of these the most confident first; a click on the "
            "heading of the confidence sorts by it."
        )
    clips = ""
    if "clip" in table.columns and table["clip"].notna().any():
        clips = (
            " A link plays the clip as long as the corpus stays where it is. The words are not shown, because "
            "reports are shared more freely than corpora."
        )
    return (
        said
        + (f" All of them are in {STATISTICS['mistakes']}." if runs > 1 and len(table) > _SHOWN else "")
        + clips
    )


def _table(table: pd.DataFrame, runs: int) -> Table:
    about = [name for name in _ABOUT if name in table.columns and table[name].notna().any()]
    lines = []
    for one in table.head(_SHOWN).to_dict("records"):
        clip = one.get("clip")
        line = [Cell(str(one["id"]), href=clip if isinstance(clip, str) else "")]
        line += [Cell(str(one["label"])), Cell(str(one["called"]))]
        line += [percent_cell(one["wrong"])] if runs > 1 else []
        line += [percent_cell(one["confidence"])]
        lines.append([*line, *(Cell("" if one[name] != one[name] else str(one[name])) for name in about)])
    shown = ["dialog type" if name == "scenario" else name for name in about]
    headings = ["utterance", "label", "answer"]
    headings += ["wrong, % of runs", "mean confidence, %"] if runs > 1 else ["confidence, %"]
    return Table([*headings, *shown], lines)

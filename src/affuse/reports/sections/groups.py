"""Groups: each task's main metrics by gender and dialog type with the gap, and every speaker as a dot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from affuse.evaluation.measures import SHOWN, ClassMeasure, RatingMeasure
from affuse.names import counted
from affuse.reports.blocks import Block, Cell, Figure, Heading, Prose, Section, Table
from affuse.reports.figures.lanes import speaker_dots
from affuse.reports.numbers import UNKNOWN, count_cell, difference_cell, metric_cell, p_cell
from affuse.reports.report import Report
from affuse.training.comparison_folder import STATISTICS

_DOTTED = 14  # rows in the figure of speakers
_COLUMNS, _LINES = 6, 40  # of the table of speakers
FEW = 10  # rated utterances below which a CCC says little: its standard error is near 0.3


def section(report: Report) -> Section | None:
    """A table per task and grouping of two, the figure of speakers, or None without either."""
    blocks: list[Block] = []
    for task in report.record["tasks"]:
        table = report.of_task(report.statistics.groups, task)
        if not len(table):
            continue
        if len(report.record["tasks"]) > 1:
            blocks.append(Heading(task))
        for grouping in dict.fromkeys(table["grouping"]):
            if grouping != "speaker":
                blocks += _grouping(report, table[table["grouping"] == grouping], str(grouping), task)
        blocks += _speakers(report, table, task)
    if blocks and report.on_test:
        blocks.append(Prose(report.mark_note, "soft"))
    return Section("Groups of speakers and dialogs", blocks, paper=True) if blocks else None


def _grouping(report: Report, table: pd.DataFrame, grouping: str, task: str) -> list[Block]:
    main = report.measures[task].main
    shown = SHOWN[main]
    gaps = table[table["p"].notna() | table["group"].str.contains(" - ", regex=False)]
    groups = [group for group in dict.fromkeys(table["group"]) if group not in set(gaps["group"])]
    recalls = [m for m in dict.fromkeys(table["metric"]) if m.startswith("recall_")]
    headings = ["row", *(f"{shown.name}, {group}" for group in groups), "difference [95 %]", "p"]
    headings += [m.removeprefix("recall_") for m in recalls]
    lines = []
    for row in report.rows:
        of_row = report.of_row(table, row)
        if not len(of_row):
            continue
        value = of_row.set_index(["group", "metric"])["value"]
        line = [Cell(row.name_among(report.rows))]
        line += [metric_cell(float(value.get((group, main), float("nan"))), shown) for group in groups]
        gap = of_row[of_row["group"].isin(gaps["group"]) & (of_row["metric"] == main)]
        if len(gap):
            one = gap.iloc[0]
            line += [difference_cell(one["value"], one["low"], one["high"], shown), p_cell(one["p"])]
        else:
            line += [Cell(UNKNOWN, -1.0), p_cell(float("nan"))]
        line += [_recalls([float(value.get((group, m), math.nan)) for group in groups]) for m in recalls]
        lines.append(line)
    about = table.drop_duplicates("group")
    sizes = ", ".join(
        f"{line['group']} {line['n']} of {counted(int(line['speakers']), 'speaker')}"
        for line in about.to_dict("records")
        if line["group"] in groups
    )
    names = f"{gaps['group'].iloc[0].replace(' - ', ' minus ')}" if len(gaps) else "none"
    over = "with its interval by bootstrap over speakers; p is not corrected for the number of rows."
    if shown.percent:
        recalled = f" and the recall of each class ({' / '.join(groups)})" if recalls else ""
        note = (
            f"{shown.name}{recalled} in percent. Difference: {shown.name} of {names}, in percentage points, {over} "
            f"Utterances: {sizes}."
        )
    else:
        note = f"Difference: {shown.name} of {names}, {over} Utterances: {sizes}."
        note += small_groups(about.to_dict("records"))
    if grouping == "gender":
        note += " Gender is the corpus's annotation of the speaker."
    table_of_groups = Table(headings, lines, page_only=[name.removeprefix("recall_") for name in recalls])
    return [Heading(f"By {grouping}"), table_of_groups, Prose(note, "soft")]


def small_groups(lines: Sequence[Mapping[Any, Any]]) -> str:
    """' Too few to say much: female (3), male (7).', of groups with their ``n``; '' where all are large enough."""
    small = [
        f"{line['group']} ({line['n']})" for line in lines if line["n"] < FEW and " - " not in line["group"]
    ]
    return f" Too few utterances to say much: {', '.join(small)}." if small else ""


def _recalls(values: list[float]) -> Cell:
    """'61.9 / 50.0', sorted by how far the groups are apart."""
    known = [value for value in values if not math.isnan(value)]
    text = " / ".join(UNKNOWN if math.isnan(value) else f"{100 * value:.1f}" for value in values)
    return Cell(text, max(known) - min(known) if known else -1.0)


def _speakers(report: Report, table: pd.DataFrame, task: str) -> list[Block]:
    measure = report.measures[task]
    rated = isinstance(measure, RatingMeasure)
    metric = "acc" if isinstance(measure, ClassMeasure) else measure.main
    shown = SHOWN[metric]
    dots = table[(table["grouping"] == "speaker") & (table["metric"] == metric)]
    few = dots[dots["n"] < FEW] if rated else dots[:0]
    dots = dots.drop(few.index)
    dots = dots[dots["value"].notna()]
    if not len(dots):
        return [Prose(_few_in_words(few), "soft")] if len(few) else []
    lines = dots.to_dict("records")
    names = [report.name_of(line) for line in lines]
    kept = list(dict.fromkeys(names))[:_DOTTED]
    rows = pd.DataFrame(
        {"label": names, "speaker": dots["group"].to_numpy(str), "value": dots["value"].to_numpy(float)}
    )
    rows = rows[rows["label"].isin(kept)]
    people = (
        report.statistics.utterances.dropna(subset=["speaker"])
        .drop_duplicates("speaker")
        .set_index("speaker")
    )
    gender = people["gender"] if "gender" in people.columns else pd.Series(dtype=str)
    left = f" The first {_DOTTED} rows are drawn." if len(set(names)) > _DOTTED else ""
    what = (
        "CCC over the rated test utterances"
        if rated
        else "Test accuracy"
        if metric == "acc"
        else SHOWN[metric].title
    )
    caption = (
        f"{what} of every speaker (dot) in every row, and the mean over speakers (bar). How far the dots of a "
        "row are apart, more than the number of utterances, decides how wide its interval is. A dot far to the left is "
        f"a speaker whom the row recognises badly.{left}{_few_in_words(few)}"
    )
    drawn = speaker_dots(rows, gender, shown.title, task, shown.factor)
    blocks: list[Block] = [Heading("By speaker"), Figure(drawn.wide, caption, narrow=drawn.narrow)]
    if rated:
        blocks.append(_speakers_table(report, table, metric, gender))
    return blocks


def _speakers_table(report: Report, table: pd.DataFrame, metric: str, gender: pd.Series) -> Table:
    """A line per speaker with its utterances, and a column per row of the comparison."""
    of_metric = table[(table["grouping"] == "speaker") & (table["metric"] == metric)]
    values: dict[str, dict[str, float]] = {}
    counts: dict[str, int] = {}
    for line in of_metric.to_dict("records"):
        speaker = str(line["group"])
        values.setdefault(speaker, {})[report.name_of(line)] = line["value"]
        counts[speaker] = int(line["n"])
    names = list(dict.fromkeys(name for of in values.values() for name in of))[:_COLUMNS]
    lines = [
        [
            Cell(speaker),
            *([Cell(str(gender.get(speaker, "")))] if len(gender) else []),
            count_cell(counts[speaker]),
            *(metric_cell(of.get(name, math.nan), SHOWN[metric]) for name in names),
        ]
        for speaker, of in list(values.items())[:_LINES]
    ]
    headings = ["speaker", *(["gender"] if len(gender) else []), "utterances", *names]
    more = f"The first {_LINES} of {len(values)} speakers; all are in {STATISTICS['groups']}."
    return Table(headings, lines, page_only=headings, notes=[more] if len(values) > _LINES else [])


def _few_in_words(few: pd.DataFrame) -> str:
    """Which speakers are not drawn; '' where all are."""
    count = few["group"].nunique() if len(few) else 0
    if not count:
        return ""
    which = "1 speaker has" if count == 1 else f"{count} speakers have"
    return f" {which} fewer than {FEW} rated utterances, too few for a CCC of their own, and no dot."

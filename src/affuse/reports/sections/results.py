"""Results of one task: plot, table, confusions, class distribution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.measures import ClassMeasure, SetMeasure
from affuse.evaluation.predictions import measure_table
from affuse.reports.blocks import Block, Cell, Figure, Figures, Heading, Prose, Section, Table
from affuse.reports.figures.confusion import confusion
from affuse.reports.figures.lanes import class_distribution, forest
from affuse.reports.numbers import INTERVAL, UNKNOWN, interval_cell, percent_cell
from affuse.reports.report import Report
from affuse.reports.sections import label_sets, ratings
from affuse.reports.tables.results import TITLES
from affuse.reports.tables.rows import MARK, REFERENCE, Row

_CONFUSIONS = (
    "Percent of each true class (row) by predicted class (column), one matrix per recipe. The diagonal is the recall; "
    "large numbers off it are classes that are mixed up."
)


def sections(report: Report) -> list[Section]:
    """One section per task."""
    return [_section(report, task) for task in report.record["tasks"]]


def _section(report: Report, task: str) -> Section:
    facts = report.record["tasks"][task]
    rows = report.of_task(report.results, task)
    measure = report.measures[task]
    if isinstance(measure, SetMeasure):
        return label_sets.section(report, task, rows)
    if not isinstance(measure, ClassMeasure):
        return ratings.section(report, task, rows)
    total = sum(facts["counts"].values())
    majority = max(facts["counts"].values()) / total if total else None
    title = f"Results: {task}" + (" (generated corpus)" if report.record["corpus"]["generated"] else "")
    blocks: list[Block] = []
    if task == "gender":
        blocks.append(Prose("Gender here is the corpus's annotation of the speaker.", "soft"))
    if rows.empty:
        blocks.append(Prose("No row has all its runs finished."))
    else:
        ceiling = bool(rows["ceiling"].notna().any())
        blocks += [_forest(report, rows, majority, ceiling, task), _table(rows, ceiling)]
        text = (
            "In percent, over the test utterances of all folds together, mean over seeds, with 95 % intervals over "
            "speakers. ACC is plain accuracy (the field's WA); BACC is the mean recall over classes (the field's UA). "
            "sd: standard deviation of ACC. n: test utterances."
        )
        if ceiling:
            text += (
                " The ceiling is the best possible value, computed from how the corpus was generated; by chance a "
                "model may be a little above it."
            )
        blocks.append(Prose(text, "soft"))
        if report.mark_note and _marks(rows).any():
            blocks.append(Prose(report.mark_note, "soft"))
        blocks += [Heading("Confusions"), Prose(_CONFUSIONS, "soft"), confusions(report, measure)]
    caption = (
        "Utterances that have a label of this task. The share of the longest bar is the ACC of always giving that "
        "answer; the more uneven the bars are, the more ACC and BACC differ."
    )
    drawn = class_distribution(facts["counts"], task)
    return Section(
        title,
        [*blocks, Heading("Class distribution"), Figure(drawn.wide, caption, narrow=drawn.narrow)],
        paper=True,
    )


def _fixed(rows: pd.DataFrame) -> list[str]:
    """The columns that name a row: of 'affuse reproduce' the published row, which tells recipe and loss."""
    names = list(rows.columns[: list(rows.columns).index("protocol")])
    return ["row"] if "row" in names else names


def _marks(rows: pd.DataFrame) -> pd.Series:
    """Whether the test part was used to make each line."""
    if "on_test" not in rows.columns:
        return pd.Series(False, index=rows.index)
    return ~rows["on_test"].fillna("").astype(str).str.lower().isin(("", "false", "none", "0"))


def _forest(report: Report, rows: pd.DataFrame, majority: float | None, ceiling: bool, task: str) -> Figure:
    acc = rows[rows["metric"] == "acc"]
    labels = [report.name_of(line) for line in acc.to_dict("records")]
    numbers = {name: acc[name].to_numpy(float) for name in ("value", "low", "high", "ceiling")}
    drawn = forest(
        pd.DataFrame({"label": labels, "group": acc["recipe"].to_numpy(), **numbers}),
        majority,
        TITLES["acc"],
        task,
    )
    caption = "ACC of every row on the test part (dot) with its 95 % interval (line), one colour per recipe."
    if ceiling:
        caption += (
            " The vertical bar is the ceiling: the best that any model could reach from the same modalities."
        )
    if majority is not None:
        caption += " The dotted line is the ACC of always answering the most common class."
    caption += " The verdict says whether two rows differ; the intervals may overlap even so."
    return Figure(drawn.wide, caption, narrow=drawn.narrow)


def _table(rows: pd.DataFrame, with_ceiling: bool) -> Table:
    fixed = _fixed(rows)
    headings = [*fixed, TITLES["acc"], INTERVAL]
    headings += ["ACC ceiling", "ACC / ceiling"] if with_ceiling else []
    headings += [TITLES["bacc"], INTERVAL]
    headings += ["BACC ceiling"] if with_ceiling else []
    headings += [TITLES["macro_f1"], TITLES["weighted_f1"], "sd over folds", "sd over seeds", "n"]
    lines = []
    for key, group in rows.groupby(fixed, sort=False, dropna=False):
        of: dict[str, dict[Any, Any]] = {str(row["metric"]): row for row in group.to_dict("records")}
        acc, bacc = of["acc"], of["bacc"]
        line = [Cell(str(value) if value == value else "") for value in key]
        if _marks(group).any():
            line[-1] = Cell(f"{line[-1].text} {MARK}")
        line += [percent_cell(acc["value"]), interval_cell(acc["low"], acc["high"])]
        line += (
            [percent_cell(acc["ceiling"]), percent_cell(acc["value"] / acc["ceiling"])]
            if with_ceiling
            else []
        )
        line += [percent_cell(bacc["value"]), interval_cell(bacc["low"], bacc["high"])]
        line += [percent_cell(bacc["ceiling"])] if with_ceiling else []
        line += [percent_cell(of[name]["value"]) for name in ("macro_f1", "weighted_f1")]
        line += [percent_cell(acc["sd_folds"]), percent_cell(acc["sd_seeds"])]
        lines.append([*line, Cell(str(acc["n"]), float(acc["n"]))])
    known = [any(line[i].text != UNKNOWN for line in lines) for i in range(len(headings))]
    return Table(
        [heading for heading, shown in zip(headings, known, strict=True) if shown],
        [[cell for cell, shown in zip(line, known, strict=True) if shown] for line in lines],
        page_only=("ACC / ceiling", TITLES["macro_f1"], "sd over folds"),
    )


def confusions(report: Report, measure: ClassMeasure) -> Figures:
    """One matrix per recipe that tells the task: under cross_entropy, or its first loss where it has no such row."""
    chosen: dict[str, Row] = {}
    for row in (row for row in report.rows if row.tables(measure)):
        recipe = row.settings["recipe"]
        if recipe not in chosen or (
            row.settings["loss"] == REFERENCE and chosen[recipe].settings["loss"] != REFERENCE
        ):
            chosen[recipe] = row
    task, classes, found = measure.task, measure.space, []
    for recipe, row in chosen.items():
        matrix = np.zeros((len(classes), len(classes)))
        for table in row.tables(measure):
            matrix += measure_table(table, task, classes).confusion
        title = f"{recipe}, {row.settings['loss']}{f' {MARK}' if row.on_test else ''}"
        found.append(Figure(confusion(matrix, classes, f"{task}-{recipe}"), "", title, wide=False))
    return Figures(found)

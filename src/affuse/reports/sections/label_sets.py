"""Results of a task of several labels at once: macro-F1 of every row, F1 of every label, how often labels occur."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.label_sets import measure_label_sets
from affuse.evaluation.measures import SHOWN, SetMeasure
from affuse.names import counted
from affuse.reports.blocks import Block, Cell, Figure, Heading, Prose, Section, Table
from affuse.reports.figures.lanes import class_distribution, forest
from affuse.reports.numbers import (
    INTERVAL,
    count_cell,
    metric_cell,
    metric_in_words,
    metric_interval_cell,
    percent_cell,
)
from affuse.reports.report import Report
from affuse.reports.tables.rows import MARK

_NOTE = (
    "In percent. F1 of a label is the harmonic mean of its precision and its recall, with the threshold that was "
    "fitted on validation; macro F1 is the mean over the labels that occur, micro F1 that of all yes and no together. "
    "mAP, the mean average precision, needs no threshold: it is high where utterances that have a label stand before "
    "those that do not. The 95 % intervals are about other speakers of the same kind."
)
_DISTRIBUTION = "Utterances that have each label; one may have several, or none."


def section(report: Report, task: str, rows: pd.DataFrame) -> Section:
    """The chapter of one task of several labels in a comparison; ``rows``: its lines of ``results.csv``."""
    facts, measure = report.record["tasks"][task], report.measures[task]
    assert isinstance(measure, SetMeasure)
    title = f"Results: {task}" + (" (generated corpus)" if report.record["corpus"]["generated"] else "")
    blocks: list[Block] = [Prose(f"Any of {counted(len(measure.labels), 'label')} at once.", "soft")]
    if rows.empty:
        blocks.append(Prose("No row has all its runs finished."))
    else:
        blocks += [_forest(report, rows, task), _table(rows)]
        text = f"Over the test utterances of all folds together, mean over seeds. {_NOTE}"
        blocks.append(Prose(text + " sd: standard deviation of macro F1. n: test utterances.", "soft"))
        if report.mark_note and any(row.on_test for row in report.rows):
            blocks.append(Prose(report.mark_note, "soft"))
        lines = {row.name_among(report.rows): _of_labels(row.tables(measure), measure) for row in report.rows}
        blocks += _label_blocks({name: f1 for name, f1 in lines.items() if f1}, measure.labels)
    drawn = class_distribution(facts["counts"], task)
    blocks += [Heading("Distribution of the labels"), Figure(drawn.wide, _DISTRIBUTION, narrow=drawn.narrow)]
    return Section(title, blocks, paper=True)


def result_section(
    metrics: pd.DataFrame, task: str, generated: bool, utterances_of: str = "utterance"
) -> Section:
    """The chapter of one task of several labels of one model.

    Args:
        metrics: The task's lines of ``Measurement.metrics``.
        task: For example "emotions".
        generated: Whether the corpus is.
        utterances_of: What is counted, in the singular.
    """
    of: dict[str, dict[Any, Any]] = {str(line["metric"]): line for line in metrics.to_dict("records")}
    told = [
        f"{SHOWN[name].name} {metric_in_words(of[name]['value'], of[name]['low'], of[name]['high'], SHOWN[name])}"
        for name in ("macro_f1", "micro_f1")
    ]
    main = of["macro_f1"]
    size = f"{counted(int(main['n']), utterances_of)} of {counted(int(main['speakers']), 'speaker')}"
    lines = [
        [
            Cell(SHOWN[name].title),
            metric_cell(of[name]["value"], SHOWN[name]),
            metric_interval_cell(of[name]["low"], of[name]["high"], SHOWN[name]),
        ]
        for name in SetMeasure.metrics
    ]
    labels = {name.removeprefix("f1 "): line for name, line in of.items() if name.startswith("f1 ")}
    each = [
        [Cell(label), percent_cell(line["value"]), count_cell(int(line["n"]))]
        for label, line in labels.items()
    ]
    return Section(
        f"Results: {task}" + (" (generated corpus)" if generated else ""),
        [
            Prose(f"{told[0]} and {told[1]} on {size}.", "verdict"),
            Table(["metric", "value", INTERVAL], lines),
            Prose(_NOTE, "soft"),
            Heading("Every label"),
            Table(["label", "F1", "n"], each),
            Prose("n: utterances that have the label.", "soft"),
        ],
        paper=True,
    )


def _forest(report: Report, rows: pd.DataFrame, task: str) -> Figure:
    macro = rows[rows["metric"] == "macro_f1"]
    labels = [report.name_of(line) for line in macro.to_dict("records")]
    numbers = {name: macro[name].to_numpy(float) for name in ("value", "low", "high", "ceiling")}
    table = pd.DataFrame({"label": labels, "group": macro["recipe"].to_numpy(), **numbers})
    drawn = forest(table, None, SHOWN["macro_f1"].title, task)
    caption = (
        "Macro F1 of every row on the test part (dot) with its 95 % interval (line), one colour per recipe. The "
        "verdict says whether two rows differ; the intervals may overlap even so."
    )
    return Figure(drawn.wide, caption, narrow=drawn.narrow)


def _table(rows: pd.DataFrame) -> Table:
    names = list(rows.columns[: list(rows.columns).index("protocol")])
    fixed = ["row"] if "row" in names else names
    headings = [*fixed]
    for name in SetMeasure.metrics:
        headings += [SHOWN[name].title, *([INTERVAL] if name != "map" else [])]
    headings += ["sd over folds", "sd over seeds", "n"]
    lines: list[list[Cell]] = []
    for key, group in rows.groupby(fixed, sort=False, dropna=False):
        of: dict[str, dict[Any, Any]] = {str(row["metric"]): row for row in group.to_dict("records")}
        line = [Cell(str(value) if value == value else "") for value in key]
        main = of["macro_f1"]
        if str(main.get("on_test") or ""):
            line[-1] = Cell(f"{line[-1].text} {MARK}")
        for name in SetMeasure.metrics:
            line.append(metric_cell(of[name]["value"], SHOWN[name]))
            if name != "map":
                line.append(metric_interval_cell(of[name]["low"], of[name]["high"], SHOWN[name]))
        line += [percent_cell(main["sd_folds"]), percent_cell(main["sd_seeds"]), count_cell(int(main["n"]))]
        lines.append(line)
    return Table(headings, lines, page_only=("sd over folds",))


def _of_labels(tables: Sequence[pd.DataFrame], measure: SetMeasure) -> list[float]:
    """F1 of each label, mean over seeds; [] where no table has known labels."""
    found = [list(measure_label_sets(table, measure.task, measure.labels).f1.values()) for table in tables]
    return np.mean(found, axis=0).tolist() if found else []


def _label_blocks(rows: Mapping[str, Sequence[float]], labels: Sequence[str]) -> list[Block]:
    """F1 of every label, a line per row."""
    if not rows:
        return []
    lines = [[Cell(name), *(percent_cell(value) for value in f1)] for name, f1 in rows.items()]
    return [Heading("F1 of every label"), Table(["row", *labels], lines)]

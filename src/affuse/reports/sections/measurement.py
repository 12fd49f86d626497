"""One model's answers: metrics, recall of every class, groups and calibration, as sections of a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.calibration import probabilities_of, reliability
from affuse.evaluation.measurement import Measurement
from affuse.evaluation.measures import SHOWN, Measure, RatingMeasure, SetMeasure, kind_of
from affuse.names import counted
from affuse.reports.blocks import Block, Cell, Figure, Figures, Heading, Prose, Section, Table
from affuse.reports.figures.confusion import confusion
from affuse.reports.figures.reliability import reliability_curves
from affuse.reports.numbers import (
    INTERVAL,
    count_cell,
    equals,
    interval_cell,
    metric_cell,
    metric_interval_cell,
    number_cell,
    percent_cell,
    percent_interval,
    plain,
    signed,
)
from affuse.reports.sections import label_sets, ratings
from affuse.reports.sections.calibration import READING
from affuse.reports.sections.groups import small_groups
from affuse.reports.tables.results import TITLES

_METRICS_NOTE = (
    "Percent. ACC is plain accuracy (the field's WA); BACC is the mean recall over classes (the field's UA). The "
    "95 % intervals are about other speakers of the same kind."
)


def results_sections(measured: Measurement, generated: bool, predictions: pd.DataFrame) -> list[Section]:
    """One section per task: the result in a sentence, all metrics, and every class or the range of the ratings."""
    tasks = list(dict.fromkeys(measured.metrics["task"])) if len(measured.metrics) else []
    return [_results(measured, str(task), generated, predictions) for task in tasks]


def _results(measured: Measurement, task: str, generated: bool, predictions: pd.DataFrame) -> Section:
    metrics = measured.metrics[measured.metrics["task"] == task]
    kind = kind_of([*metrics["metric"]])
    if kind is RatingMeasure:
        return ratings.result_section(metrics, predictions, task, generated)
    if kind is SetMeasure:
        return label_sets.result_section(metrics, task, generated)
    recalls = measured.recalls[measured.recalls["task"] == task]
    blocks: list[Block] = [Prose(result_in_words(metrics, recalls), "verdict")]
    if task == "gender":
        blocks.append(Prose("Gender here is the corpus's annotation of the speaker.", "soft"))
    blocks += [_metrics_table(metrics), Prose(_METRICS_NOTE, "soft")]
    classes = [str(name) for name in recalls["class"]]
    counts = recalls[[f"called {name}" for name in classes]].to_numpy(float)
    caption = (
        "Percent of each true class (row) by what the model called it (column). The diagonal is the recall; numbers "
        "off it show which classes are mixed up."
    )
    blocks += [
        Heading("Class by class"),
        _recalls_table(classes, counts),
        Figures([Figure(confusion(counts, classes, task), caption, wide=False)]),
    ]
    title = f"Results: {task}" + (" (generated corpus)" if generated else "")
    return Section(title, blocks, paper=True)


def result_in_words(metrics: pd.DataFrame, recalls: pd.DataFrame) -> str:
    """'BACC (UA) 62.3 % [55.1, 69.0], ACC (WA) ... on 120 test utterances of 4 speakers; chance is 25.0 % ...'."""
    of: dict[str, dict[Any, Any]] = {str(line["metric"]): line for line in metrics.to_dict("records")}
    told = [
        f"{TITLES[name]} {plain(100 * of[name]['value'])} %"
        f"{percent_interval(of[name]['low'], of[name]['high'])}"
        for name in ("bacc", "acc")
    ]
    size = f"{counted(int(of['acc']['n']), 'utterance')} of {counted(int(of['acc']['speakers']), 'speaker')}"
    there = recalls[recalls["n"] > 0]
    common = max(there.to_dict("records"), key=lambda line: line["n"])
    share = 100 * common["n"] / there["n"].sum()
    return (
        f"{told[0]} and {told[1]} on {size}. For comparison: guessing gives a BACC of {plain(100 / len(there))} %, and "
        f"always answering {common['class']}, the most common class, an ACC of {plain(share)} %."
    )


def _metrics_table(metrics: pd.DataFrame) -> Table:
    lines = [
        [
            Cell(TITLES[str(line["metric"])]),
            percent_cell(line["value"]),
            interval_cell(line["low"], line["high"]),
        ]
        for line in metrics.to_dict("records")
    ]
    return Table(["metric", "value", INTERVAL], lines)


def _recalls_table(classes: Sequence[str], counts: np.ndarray) -> Table:
    lines: list[list[Cell]] = []
    for i, name in enumerate(classes):
        total = counts[i].sum()
        wrong = counts[i].copy()
        wrong[i] = 0
        worst = int(wrong.argmax())
        mixed = f"{classes[worst]} ({plain(100 * wrong[worst] / total)} %)" if wrong[worst] else "-"
        recall = counts[i, i] / total if total else math.nan
        called = counts[:, i].sum()
        precision = counts[i, i] / called if called else math.nan
        lines.append(
            [Cell(name), count_cell(total), percent_cell(recall), percent_cell(precision), Cell(mixed)]
        )
    return Table(["class", "utterances", "recall, %", "precision, %", "most often taken for"], lines)


def groups_section(measured: Measurement) -> Section | None:
    """A table per task and grouping, and the difference between two groups in a sentence; None without groups."""
    if not len(measured.groups):
        return None
    blocks: list[Block] = []
    several = len(set(measured.groups["task"])) > 1
    for (task, grouping), table in measured.groups.groupby(["task", "grouping"], sort=False):
        gaps = table[table["p"].notna() | table["group"].str.contains(" - ", regex=False)]
        groups = table[~table["group"].isin(gaps["group"])]
        if groups["group"].nunique() < 2:
            continue
        blocks.append(Heading(f"By {grouping}{f': {task}' if several else ''}"))
        kind = kind_of([*table["metric"]])
        blocks.append(_groups_table(groups, kind))
        gap = gaps[gaps["metric"] == kind.main].to_dict("records")
        if gap:
            blocks.append(Prose(gap_in_words(gap[0])))
        if kind is RatingMeasure and (
            small := small_groups(groups.drop_duplicates("group").to_dict("records"))
        ):
            blocks.append(Prose(small.strip(), "soft"))
        if grouping == "gender":
            blocks.append(Prose("Gender is the corpus's annotation of the speaker.", "soft"))
    return Section("Groups of speakers and dialogs", blocks, paper=True) if blocks else None


def _groups_table(groups: pd.DataFrame, kind: type[Measure]) -> Table:
    first = kind.grouped[0]
    lines: list[list[Cell]] = []
    for name, lines_of in groups.groupby("group", sort=False):
        of: dict[str, dict[Any, Any]] = {str(line["metric"]): line for line in lines_of.to_dict("records")}
        line = [Cell(str(name)), count_cell(of[first]["n"]), count_cell(of[first]["speakers"])]
        for metric in kind.grouped:
            one, shown = of[metric], SHOWN[metric]
            line += [metric_cell(one["value"], shown), metric_interval_cell(one["low"], one["high"], shown)]
        lines.append(line)
    headings = ["group", "utterances", "speakers"]
    for metric in kind.grouped:
        headings += [TITLES[metric], INTERVAL]
    return Table(headings, lines)


def gap_in_words(line: Mapping[Any, Any]) -> str:
    """'BACC of female minus male: +3.2 points [-4.0, 10.4], p = 0.36.' or why it cannot be tested."""
    pair = str(line["group"]).replace(" - ", " minus ")
    shown = SHOWN[str(line["metric"])]
    if math.isnan(line["value"]):
        return f"{shown.name} of {pair} is not defined here."
    amount = f"{shown.name} of {pair}: {signed(shown.factor * line['value'], shown.digits)}{shown.unit}"
    if math.isnan(line["low"]):
        return f"{amount}. That cannot be tested: it takes two speakers in each group who differ."
    low, high = (plain(shown.factor * line[end], shown.digits) for end in ("low", "high"))
    return f"{amount} [{low}, {high}], p {equals(line['p'])}."


def calibration_section(
    measured: Measurement,
    predictions: pd.DataFrame,
    spaces: Mapping[str, Sequence[str]],
    scaled: tuple[pd.DataFrame, pd.DataFrame] | None = None,
) -> Section | None:
    """A table of a line per task, and a reliability curve for each.

    ``scaled``: (calibration, reliability) of ``tables.calibration``, where a validation part gave a temperature.
    """
    lines: list[list[Cell]] = []
    figures: list[Figure] = []
    shown = measured.calibration.to_dict("records")
    known = scaled is not None and len(scaled[0]) > 0
    for line in shown:
        task = str(line["task"])
        more: list[Cell] = []
        if known and scaled is not None:
            of = scaled[0][scaled[0]["task"] == task].to_dict("records")
            more = [
                number_cell(of[0][name] if of else math.nan, digits)
                for name, digits in (("ece_scaled", 3), ("nll_scaled", 3), ("temperature", 2))
            ]
        lines.append(
            [
                Cell(task), percent_cell(line["confidence"]), percent_cell(line["acc"]), number_cell(line["ece"], 3),
                number_cell(line["nll"], 3), *more,
            ]
        )  # fmt: skip
        curve = _curve(predictions, task, spaces[task], scaled)
        drawn = reliability_curves({task: curve}, task)
        figures.append(Figure(drawn.wide, "", wide=False))
    if not lines:
        return None
    headings = ["task", "confidence, %", "ACC, %", "ECE", "NLL"]
    headings += ["ECE, scaled", "NLL, scaled", "temperature"] if known else []
    return Section("Calibration", [Table(headings, lines), Prose(READING, "soft"), Figures(figures)])


def _curve(
    predictions: pd.DataFrame,
    task: str,
    space: Sequence[str],
    scaled: tuple[pd.DataFrame, pd.DataFrame] | None,
) -> pd.DataFrame:
    if scaled is not None and len(scaled[1]):
        found = scaled[1][scaled[1]["task"] == task]
        if len(found):
            return found
    return reliability(*probabilities_of(predictions, task, space)).assign(scaled=False)

"""Calibration: expected calibration error, likelihood, temperature from validation, reliability curves."""

from __future__ import annotations

import pandas as pd

from affuse.reports.blocks import Block, Cell, Figure, Heading, Prose, Section, Table
from affuse.reports.figures.reliability import reliability_curves
from affuse.reports.numbers import number_cell, percent_cell
from affuse.reports.report import Report

_PANELS = 12
READING = (
    "Confidence: the mean probability of the answers given. ECE, the expected calibration error, is how far confidence "
    "and accuracy differ, on a scale from 0 to 1, averaged over ten bins of confidence; even a perfectly calibrated "
    "model has an ECE above 0, and a larger one the fewer utterances there are. NLL: mean negative log likelihood of "
    "the true class, in nats. Where a temperature is given, it was fitted on the validation part, never on the test "
    "part, with a prior that draws it to 1: above 1 the model was overconfident, below 1 underconfident. "
    '"Scaled" is after division of the logits by it, which changes no answer.'
)


def section(report: Report) -> Section | None:
    """Per task with probabilities: a table and a panel per row."""
    blocks: list[Block] = []
    for task in report.record["tasks"]:
        table = report.of_task(report.statistics.calibration, task)
        curves = report.of_task(report.statistics.reliability, task)
        lines, panels = [], {}
        for row in report.rows:
            found = report.of_row(table, row)
            if not len(found):
                continue
            one = found.iloc[0]
            name = row.name_among(report.rows)
            lines.append(
                [
                    Cell(name),
                    percent_cell(one["confidence"]),
                    percent_cell(one["acc"]),
                    number_cell(one["ece"], 3),
                    number_cell(one["ece_scaled"], 3),
                    number_cell(one["nll"], 3),
                    number_cell(one["nll_scaled"], 3),
                    number_cell(one["temperature"], 2),
                ]
            )
            panels[name] = report.of_row(curves, row)
        if not lines:
            continue
        if len(report.record["tasks"]) > 1:
            blocks.append(Heading(task))
        headings = [
            "row",
            "confidence, %",
            "ACC (WA), %",
            "ECE",
            "ECE, scaled",
            "NLL",
            "NLL, scaled",
            "temperature",
        ]
        drawn = reliability_curves(dict(list(panels.items())[:_PANELS]), task)
        more = f" The first {_PANELS} rows are drawn." if len(panels) > _PANELS else ""
        caption = (
            "How often a row is right (upright) where it is so sure (across); the area of a dot is its share of the "
            "utterances. On the dotted line the row means what it says; below it promises too much, above too little. "
            f"Scaling should bring the diamonds nearer to the line than the circles are.{more}"
        )
        note = READING + _evidence(table)
        blocks += [Figure(drawn, caption), Table(headings, lines), Prose(note, "soft")]
    if blocks and report.on_test:
        blocks.append(Prose(report.mark_note, "soft"))
    return Section("Calibration", blocks, paper=True) if blocks else None


def _evidence(table: pd.DataFrame) -> str:
    """What temperatures rest on little or on nothing; "" where none does."""
    if "evidence" not in table.columns:  # of an older affuse
        return ""
    told = ""
    if unfitted := int(table["unfitted"].sum()):
        runs = "1 run has" if unfitted == 1 else f"{unfitted} runs have"
        told += (
            f" {runs} no temperature (1 is counted): no validation answer is wrong, or all have one label."
        )
    if (table["evidence"] < 0.5).any():
        told += (
            f" Temperatures rest on little: {100 * table['evidence'].min():.0f} to {100 * table['evidence'].max():.0f} "
            "% of what is known of them comes from validation utterances, the rest is the prior's."
        )
    return told

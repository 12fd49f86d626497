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
    "part, with a prior that pulls it towards 1: above 1 the model was overconfident, below 1 underconfident. "
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
            "Share of correct answers (vertical) by the confidence of the answer (horizontal); the area of a dot is "
            "its share of the utterances. On the dotted line a row is perfectly calibrated; below the line it is "
            "overconfident, above it underconfident. The diamonds, after scaling, should lie nearer to the line than "
            f"the circles.{more}"
        )
        note = READING + _evidence(table)
        blocks += [
            Figure(drawn.wide, caption, narrow=drawn.narrow),
            Table(headings, lines),
            Prose(note, "soft"),
        ]
    if blocks and report.on_test:
        blocks.append(Prose(report.mark_note, "soft"))
    return Section("Calibration", blocks, paper=True) if blocks else None


def _evidence(table: pd.DataFrame) -> str:
    """Which temperatures are uncertain or were not fitted; "" where none."""
    if "evidence" not in table.columns:  # of an older affuse
        return ""
    told = ""
    if unfitted := int(table["unfitted"].sum()):
        runs = "1 run has" if unfitted == 1 else f"{unfitted} runs have"
        told += f" {runs} no fitted temperature (1 is used): no validation answer is wrong, or all have one label."
    if (table["evidence"] < 0.5).any():
        told += (
            f" The temperatures are uncertain: only {100 * table['evidence'].min():.0f} to "
            f"{100 * table['evidence'].max():.0f} % of the information on them comes from validation utterances, the "
            "rest from the prior."
        )
    return told

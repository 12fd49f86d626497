"""Calibration: expected calibration error, likelihood, temperature from validation, reliability curves."""

from __future__ import annotations

import pandas as pd

from affuse.reports.blocks import Block, Cell, Figure, Heading, Prose, Section, Table
from affuse.reports.figures.reliability import reliability_curves
from affuse.reports.numbers import number_cell, percent_cell
from affuse.reports.report import Report

_PANELS = 12
_NOTE = (
    "confidence: mean probability of the class called; ECE: expected calibration error over {bins} "
    "equally wide bins, in "
    "points: how far confidence and accuracy part; chance alone gives some of it, more with fewer utterances. NLL in "
    "nats per utterance. The temperature is fitted on each run's validation part alone, with a prior at 1; above 1 the "
    "row was too sure of itself, below 1 not sure enough. It changes no decision."
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
                    percent_cell(one["ece"]),
                    percent_cell(one["ece_scaled"]),
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
            "confidence",
            "ACC (WA)",
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
        note = _NOTE.format(bins=int(table["bins"].iloc[0])) + _evidence(table)
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

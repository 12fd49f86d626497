"""The raters' own agreement beside what models reach on the same utterances: the human ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from affuse.evaluation.measures import SHOWN
from affuse.evaluation.raters import AGREEMENT
from affuse.evaluation.soft import SOFT_METRICS
from affuse.names import counted
from affuse.reports.blocks import Block, Cell, Heading, Prose, Section, Table
from affuse.reports.numbers import (
    INTERVAL,
    UNKNOWN,
    metric_cell,
    metric_in_words,
    metric_interval_cell,
    number_cell,
    percent_cell,
    plain,
)
from affuse.reports.report import Report

TITLE = "Raters and model"
_ALPHA = "Krippendorff's alpha is 1 where all raters agree and 0 where they agree as often as by chance."
_CLASSES = (
    "One rater: each rater against the majority of the others, where tied labels share the truth; a label that is none "
    "of the classes is an answer of its own. The others are one vote fewer than the label that models are tested on, "
    "so a model may pass the raters. Every utterance counts alike."
)
_RATINGS = "One rater: each rater against the mean of the others. Every utterance counts alike."
_SOFT = (
    "Against the votes for the classes: soft cross-entropy in nats, at best the entropy of the votes ({entropy}); "
    "Jensen-Shannon divergence, 0 where the probabilities are the votes and 1 where they share no class; macro-F1 of "
    "classes that have more than 1 / classes of votes and of probability (EMO-SUPERB)."
)
Lines = Sequence[Mapping[Any, Any]]


def model_section(raters: pd.DataFrame) -> Section | None:
    """Of one model; ``raters``: a line per task, see ``human_ceiling.rater_line``. None without raters."""
    blocks: list[Block] = []
    lines: Lines = raters.to_dict("records")
    for line in lines:
        blocks += [Heading(str(line["task"]))] if len(lines) > 1 else []
        blocks += [Prose(in_words(line), "verdict"), *_blocks([line], ["the model"])]
    return Section(TITLE, blocks, paper=True) if blocks else None


def section(report: Report) -> Section | None:
    """Of a comparison: one rater, and every row on the same utterances. None where no run kept votes."""
    blocks: list[Block] = []
    for task in report.record["tasks"]:
        table = report.of_task(report.statistics.raters, task)
        if not len(table):
            continue
        blocks += [Heading(task)] if len(report.record["tasks"]) > 1 else []
        # rows of other splits are tested on other utterances
        for _, same in table.groupby(["utterances", "rater", "alpha"], sort=False, dropna=False):
            lines: Lines = same.to_dict("records")
            blocks += [
                Prose(agreement_in_words(lines[0])),
                *_blocks(lines, [report.name_of(one) for one in lines]),
            ]
    if blocks and report.on_test:
        blocks.append(Prose(report.mark_note, "soft"))
    return Section(TITLE, blocks, paper=True) if blocks else None


def agreement_in_words(line: Mapping[Any, Any]) -> str:
    """'On 120 test utterances with two votes or more (3.0 each), Krippendorff's alpha is 0.45; one rater ...'."""
    shown = SHOWN[str(line["metric"])]
    whom = "the majority of the others" if shown.percent else "the mean of the others"
    return (
        f"On {counted(int(line['utterances']), 'utterance')} with two votes or more ({plain(line['votes'])} each) "
        f"Krippendorff's alpha is {_alpha(line)}, and one rater against {whom} reaches {shown.name} "
        f"{metric_in_words(line['rater'], line['rater_low'], line['rater_high'], shown)}."
    )


def in_words(line: Mapping[Any, Any]) -> str:
    """The same, and what the model reaches there."""
    shown = SHOWN[str(line["metric"])]
    reached = metric_in_words(line["value"], line["low"], line["high"], shown)
    return f"{agreement_in_words(line)} The model reaches {reached} on the same utterances."


def _alpha(line: Mapping[Any, Any]) -> str:
    alpha = float(line["alpha"])
    return plain(alpha, 3) if alpha == alpha else "not defined, as all votes are for one answer"


def _blocks(lines: Lines, names: Sequence[str]) -> list[Block]:
    first = lines[0]
    shown = SHOWN[str(first["metric"])]
    percent = shown.percent
    bands = [key for key in AGREEMENT if percent and first[f"n_{key}"]]
    soft = percent and first.get("entropy") == first.get("entropy") and "entropy" in first
    headings = ["who", shown.title, INTERVAL]
    headings += [f"ACC where {AGREEMENT[key]} (n = {int(first[f'n_{key}'])})" for key in bands]
    headings += list(SOFT_METRICS.values()) if soft else []
    blank = [Cell(UNKNOWN, -1.0)] * (len(bands) + (len(SOFT_METRICS) if soft else 0))
    rater = [
        metric_cell(first["rater"], shown),
        metric_interval_cell(first["rater_low"], first["rater_high"], shown),
    ]
    rows: list[list[Cell]] = [[Cell("one rater"), *rater, *blank]]
    for line, name in zip(lines, names, strict=True):
        row = [
            Cell(name),
            metric_cell(line["value"], shown),
            metric_interval_cell(line["low"], line["high"], shown),
        ]
        row += [percent_cell(line[f"acc_{key}"]) for key in bands]
        row += [_soft(line, key) for key in SOFT_METRICS] if soft else []
        rows.append(row)
    told = [_ALPHA, _CLASSES if percent else _RATINGS]
    told += [_SOFT.format(entropy=plain(first["entropy"], 3))] if soft else []
    return [Table(headings, rows, page_only=headings[3:]), Prose(" ".join(told), "soft")]


def _soft(line: Mapping[Any, Any], key: str) -> Cell:
    value = float(line[key])
    return percent_cell(value) if key == "thresholded_macro_f1" else number_cell(value, 3)


def to_lines(raters: pd.DataFrame) -> pd.DataFrame:
    """The same as text for a terminal: a line per task."""
    found = []
    for line in raters.to_dict("records"):
        shown = SHOWN[str(line["metric"])]
        found.append(
            {
                "task": line["task"], "n": int(line["utterances"]), "votes each": plain(line["votes"]),
                "alpha": plain(line["alpha"], 3) if line["alpha"] == line["alpha"] else "-", "measure": shown.name,
                "one rater [95 %]": metric_in_words(line["rater"], line["rater_low"], line["rater_high"], shown),
                "the model [95 %]": metric_in_words(line["value"], line["low"], line["high"], shown),
            }
        )  # fmt: skip
    return pd.DataFrame(found)

"""Results of a rating: answers by rating, the error over the range, beside what the mean rating reaches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.measures import SHOWN, RatingMeasure
from affuse.evaluation.rating_range import RatingRange, rating_range
from affuse.names import counted
from affuse.reports.blocks import Block, Cell, Figure, Heading, Prose, Section, Table
from affuse.reports.figures.lanes import class_distribution, forest
from affuse.reports.figures.scatter import DOTS, scatter
from affuse.reports.numbers import (
    INTERVAL,
    UNKNOWN,
    metric_cell,
    metric_in_words,
    metric_interval_cell,
    number_cell,
    plain,
)
from affuse.reports.report import Report
from affuse.reports.tables.rows import MARK

_PANELS = 12
METRICS_NOTE = (
    "CCC, the concordance correlation coefficient, is 1 where every answer is its rating, and 0 where answers and "
    "ratings do not vary together; it falls with noise, with a shift and with answers that are pulled to the middle. "
    "Pearson's correlation falls with noise alone. RMSE and MAE are errors in units of the ratings. The 95 % intervals "
    "are about other speakers of the same kind."
)
_RANGE_NOTE = (
    "Slope: by how much answers rise where ratings rise by 1; spread: standard deviation of the answers over that of "
    "the ratings. Below 1, the extremes are pulled to the middle: the lowest third of the ratings is answered too high "
    "(+), the highest third too low (\u2212). Shift: mean answer less mean rating. All but slope and spread in units "
    "of the ratings."
)
_RANGE_HEADINGS = ("slope", "spread", "shift", "lowest third", "middle third", "highest third")


def section(report: Report, task: str, rows: pd.DataFrame) -> Section:
    """The chapter of one rating in a comparison; ``rows``: its lines of ``results.csv``."""
    facts, measure = report.record["tasks"][task], report.measures[task]
    assert isinstance(measure, RatingMeasure)
    low, high = (float(end) for end in facts["range"])
    title = f"Results: {task}" + (" (generated corpus)" if report.record["corpus"]["generated"] else "")
    blocks: list[Block] = [Prose(f"A number from {low:g} to {high:g}.", "soft")]
    if rows.empty:
        blocks.append(Prose("No row has all its runs finished."))
    else:
        ceiling = bool(rows["ceiling"].notna().any())
        blocks += [_forest(report, rows, ceiling, task), _table(rows, ceiling)]
        text = f"Over the test utterances of all folds together, mean over seeds. {METRICS_NOTE}"
        text += " sd: standard deviation of CCC. n: rated test utterances."
        if ceiling:
            text += (
                " The ceiling is the best possible CCC, computed from how the corpus was generated; by chance a "
                "model may be a little above it."
            )
        blocks.append(Prose(text, "soft"))
        table = report.of_task(report.statistics.ratings, task)
        if len(table):
            floor = table.iloc[0]
            blocks.append(Prose(floor_in_words(floor["floor_rmse"], floor["floor_mae"])))
        if report.mark_note and any(row.on_test for row in report.rows):
            blocks.append(Prose(report.mark_note, "soft"))
        nobody = pd.Series(dtype=object)
        panels = {
            row.name_among(report.rows): (answers.true, answers.called)
            for row in report.rows
            for answers in measure.answers(row.tables(measure)[:1], nobody)
        }
        blocks += scatter_blocks(panels, (low, high), task, seeds=int(rows["seeds"].max()))
        names = [report.name_of(line) for line in table.to_dict("records")] if len(table) else []
        ranges = [
            RatingRange(*(line[name] for name in RatingRange._fields)) for line in table.to_dict("records")
        ]
        blocks += range_blocks(dict(zip(names, ranges, strict=True)))
    drawn = class_distribution(facts["counts"], task)
    caption = "Rated utterances by rating. Where most are in the middle, a small RMSE is easy and a high CCC is not."
    blocks += [Heading("Distribution of the ratings"), Figure(drawn.wide, caption, narrow=drawn.narrow)]
    return Section(title, blocks, paper=True)


def _forest(report: Report, rows: pd.DataFrame, ceiling: bool, task: str) -> Figure:
    ccc = rows[rows["metric"] == "ccc"]
    labels = [report.name_of(line) for line in ccc.to_dict("records")]
    numbers = {name: ccc[name].to_numpy(float) for name in ("value", "low", "high", "ceiling")}
    table = pd.DataFrame({"label": labels, "group": ccc["recipe"].to_numpy(), **numbers})
    drawn = forest(table, 0.0, "CCC", task, factor=1)
    caption = "CCC of every row on the test part (dot) with its 95 % interval (line), one colour per recipe."
    if ceiling:
        caption += (
            " The vertical bar is the ceiling: the best that any model could reach from the same modalities."
        )
    caption += (
        " The dotted line is the CCC of always answering the mean rating: 0. The verdict says whether two rows differ; "
        "the intervals may overlap even so."
    )
    return Figure(drawn.wide, caption, narrow=drawn.narrow)


def _table(rows: pd.DataFrame, with_ceiling: bool) -> Table:
    names = list(rows.columns[: list(rows.columns).index("protocol")])
    fixed = ["row"] if "row" in names else names
    headings = [*fixed, "CCC", INTERVAL, *(["CCC ceiling", "CCC / ceiling, %"] if with_ceiling else [])]
    for name in ("pearson", "rmse", "mae"):
        headings += [SHOWN[name].title, *([INTERVAL] if name != "mae" else [])]
    headings += ["sd over folds", "sd over seeds", "n"]
    lines: list[list[Cell]] = []
    for key, group in rows.groupby(fixed, sort=False, dropna=False):
        of: dict[str, dict[Any, Any]] = {str(row["metric"]): row for row in group.to_dict("records")}
        line = [Cell(str(value) if value == value else "") for value in key]
        if str(of["ccc"].get("on_test") or ""):
            line[-1] = Cell(f"{line[-1].text} {MARK}")
        for name in RatingMeasure.metrics:
            line.append(metric_cell(of[name]["value"], SHOWN[name]))
            if name != "mae":  # there is no room; it is in the file
                line.append(metric_interval_cell(of[name]["low"], of[name]["high"], SHOWN[name]))
            if name == "ccc" and with_ceiling:
                best = of[name]["ceiling"]
                line += [metric_cell(best, SHOWN[name]), number_cell(100 * of[name]["value"] / best, 1)]
        line += [number_cell(of["ccc"][name], 3) for name in ("sd_folds", "sd_seeds")]
        lines.append([*line, Cell(str(of["ccc"]["n"]), float(of["ccc"]["n"]))])
    known = [any(line[i].text != UNKNOWN for line in lines) for i in range(len(headings))]
    return Table(
        [heading for heading, shown in zip(headings, known, strict=True) if shown],
        [[cell for cell, shown in zip(line, known, strict=True) if shown] for line in lines],
        page_only=("MAE", "sd over folds"),
    )


def result_section(
    metrics: pd.DataFrame,
    predictions: pd.DataFrame,
    task: str,
    generated: bool,
    utterances_of: str = "utterance",
) -> Section:
    """The chapter of one rating of one model.

    Args:
        metrics: The task's lines of ``Measurement.metrics``.
        predictions: The prediction table that they are of.
        task: For example "valence".
        generated: Whether the corpus is.
        utterances_of: What is counted, in the singular.
    """
    of: dict[str, dict[Any, Any]] = {str(line["metric"]): line for line in metrics.to_dict("records")}
    (answers,) = RatingMeasure(task).answers([predictions], pd.Series(dtype=object))
    found = rating_range(answers.true, answers.called)
    told = [f"{SHOWN[name].name} {_words(of[name], name)}" for name in ("ccc", "rmse")]
    size = (
        f"{counted(int(of['ccc']['n']), utterances_of)} of {counted(int(of['ccc']['speakers']), 'speaker')}"
    )
    floor = floor_in_words(found.floor_rmse, found.floor_mae)
    lines = [
        [
            Cell(SHOWN[name].title),
            metric_cell(line["value"], SHOWN[name]),
            metric_interval_cell(line["low"], line["high"], SHOWN[name]),
        ]
        for name, line in of.items()
    ]
    blocks: list[Block] = [
        Prose(f"{told[0]} and {told[1]} on {size}. For comparison: {floor[0].lower()}{floor[1:]}", "verdict"),
        Table(["metric", "value", INTERVAL], lines),
        Prose(METRICS_NOTE, "soft"),
    ]
    both = np.concatenate([answers.true, answers.called])
    limits = (math.floor(float(both.min())), math.ceil(float(both.max())))
    limits = limits if limits[1] > limits[0] else (limits[0] - 1, limits[0] + 1)
    blocks += scatter_blocks({"": (answers.true, answers.called)}, limits, task)
    blocks += range_blocks({"": found})
    return Section(f"Results: {task}" + (" (generated corpus)" if generated else ""), blocks, paper=True)


def _words(line: Mapping[Any, Any], name: str) -> str:
    return metric_in_words(line["value"], line["low"], line["high"], SHOWN[name])


def floor_in_words(rmse: float, mae: float) -> str:
    """'Always answering the mean rating gives a CCC of 0 and an RMSE of 0.81; ...'."""
    return (
        f"Always answering the mean rating gives a CCC of 0 and an RMSE of {plain(rmse, 3)}, always answering the "
        f"median an MAE of {plain(mae, 3)}."
    )


def scatter_blocks(
    panels: Mapping[str, tuple[np.ndarray, np.ndarray]],
    limits: tuple[float, float],
    task: str,
    seeds: int = 1,
) -> list[Block]:
    """The figure of answers by rating; ``panels``: name of a row -> ratings and answers."""
    if not panels:
        return []
    dots = any(len(ratings) <= DOTS for ratings, _ in panels.values())
    many = any(len(ratings) > DOTS for ratings, _ in panels.values())
    what = " and ".join(
        text
        for text, there in (
            ("A dot is a test utterance", dots),
            ("cells are the darker, the more test utterances lie there", many),
        )
        if there
    )
    caption = (
        f"{what[0].upper()}{what[1:]}. On the dotted line, the answer is the rating. The line with diamonds is the "
        "mean answer by rating: where it is flatter than the dotted one, the extremes are pulled to the middle. Grey, "
        "at the edges: how often each rating (below) and each answer (at the left) occurs."
    )
    caption += " Of several seeds the first is drawn." if seeds > 1 else ""
    caption += f" The first {_PANELS} rows are drawn." if len(panels) > _PANELS else ""
    drawn = scatter(dict(list(panels.items())[:_PANELS]), limits, task)
    return [
        Heading("Answers by rating"),
        Figure(drawn.wide, caption, wide=len(panels) > 1, narrow=drawn.narrow),
    ]


def range_blocks(ranges: Mapping[str, RatingRange]) -> list[Block]:
    """A line per row on whether its answers reach as far as the ratings do; one row needs no name."""
    lines: list[Sequence[Cell]] = []
    for name, of in ranges.items():
        numbers = [
            number_cell(of.slope, 2), number_cell(of.spread, 2),
            *(_signed(value) for value in (of.shift, of.low, of.middle, of.high)),
        ]  # fmt: skip
        lines.append([*([Cell(name)] if name else []), *numbers])
    if not lines:
        return []
    headings = [*(["row"] if "" not in ranges else []), *_RANGE_HEADINGS]
    return [Heading("Over the range"), Table(headings, lines), Prose(_RANGE_NOTE, "soft")]


def _signed(value: float) -> Cell:
    cell = number_cell(value, 2)
    return Cell(f"+{cell.text}", cell.sort) if value > 0 and float(cell.text) else cell

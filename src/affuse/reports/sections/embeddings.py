"""Embeddings: maps by loss side by side, and whether a center loss draws the classes together in numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from affuse.evaluation.power import ALPHA
from affuse.names import counted
from affuse.reports.blocks import Block, Cell, Figure, Prose, Section, Table
from affuse.reports.figures.embedding_maps import embedding_maps
from affuse.reports.numbers import number_cell, p_cell, plain
from affuse.reports.report import Report
from affuse.reports.tables.embeddings import labelled_embeddings
from affuse.reports.tables.rows import Row

_MAPS = 6
_NOTE = (
    "Both numbers are measured in each run's own embedding space, before t-SNE, and averaged over folds and seeds. "
    "Silhouette: from \u22121 to 1, higher means tighter clusters. Intra/inter: mean distance to the mean of the own "
    "class, divided by the mean distance between class means; lower means tighter. p: corrected resampled t test, not "
    "corrected for the number of rows."
)


def section(report: Report) -> Section | None:
    """The first task whose embeddings were kept; None for runs of an older kind."""
    for task in report.record["tasks"]:
        table = report.of_task(report.statistics.embeddings, task)
        if len(table):
            blocks: list[Block] = []
            drawn = _maps(report, task, table)
            claim = claim_in_words(table)
            if drawn is not None:
                blocks.append(Figure(drawn[0], f"{drawn[1]} {claim}".strip()))
            elif claim:
                blocks.append(Prose(claim))
            blocks += [_table(report, table), Prose(_NOTE, "soft")]
            if report.on_test:
                blocks.append(Prose(report.mark_note, "soft"))
            return Section(f"Embeddings: {task}", blocks, paper=True)
    return None


def claim_in_words(table: pd.DataFrame) -> str:
    """Whether 'center losses give tighter clusters' holds in numbers; '' where no row that trained can tell."""
    center = table[
        table["loss"].str.contains("center")
        & (table["reference"] == "cross_entropy")
        & table["silhouette_p"].notna()
        & (table["trainings"] == "")
    ]
    if not len(center):
        return ""
    for_it, against = 0, 0
    words = []
    for name, tighter, what in (
        ("silhouette", 1, "the silhouette is higher"),
        ("ratio", -1, "the ratio lower"),
    ):
        difference, sure = tighter * center[f"{name}_difference"], center[f"{name}_p"] < ALPHA
        words.append(f"{what} in {int((difference > 0).sum())}")
        for_it += ((difference > 0) & sure).astype(int)
        against += int(((difference < 0) & sure).sum())
    both = int((for_it == 2).sum())
    n = len(center)
    held = (
        "holds here"
        if both == n
        else "is not supported here"
        if both == 0
        else f"holds here for {both} of {counted(n, 'row')}"
    )
    return (
        f"The claim that center losses give tighter clusters than cross-entropy {held}. Of {counted(n, 'row')} with a "
        f"center loss, {words[0]} and {words[1]}; both are better with p < 0.05 in {both}. {against} of the {2 * n} "
        f"numbers {'is' if against == 1 else 'are'} worse than under cross-entropy with p < 0.05."
    )


def chosen(rows: list[Row]) -> list[Row]:
    """The rows that differ in nothing but the loss, where most do; no more than _MAPS."""
    families: dict[tuple[tuple[str, str], ...], list[Row]] = {}
    for row in rows:
        rest = tuple((axis, value) for axis, value in row.settings.items() if axis != "loss")
        families.setdefault(rest, []).append(row)
    most = max(families.values(), key=len)
    return (most if len(most) > 1 else rows)[:_MAPS]


def _maps(report: Report, task: str, table: pd.DataFrame) -> tuple[str, str] | None:
    """The figure and what it shows."""
    with_maps = [row for row in report.rows if len(report.of_row(table, row))]
    rows = chosen(with_maps)
    maps, first = {}, rows[0].runs[0]
    for row in rows:
        # one network each: the spaces of two folds or seeds have nothing to do with each other
        run = next((run for run in row.runs if (run.fold, run.seed) == (first.fold, first.seed)), row.runs[0])
        found = labelled_embeddings(run, task, report.classes(task))
        if found is not None and not np.isnan(found[0]).any():
            number = float(report.of_row(table, row)["silhouette"].iloc[0])
            maps[f"{row.name_among(rows)}, silhouette {plain(number, 3)}"] = found
    drawn = embedding_maps(maps, report.classes(task), task)
    if drawn is None:
        return None
    others = {axis: value for axis, value in rows[0].settings.items() if axis != "loss"}
    same = (
        ", ".join(others.values())
        if all(row.settings.items() >= others.items() for row in rows)
        else "several recipes"
    )
    return drawn, (
        f"t-SNE of the test embeddings of fold {first.fold}, seed {first.seed} ({same}), all maps on the same scale. "
        "t-SNE shows which points are neighbours, not how far apart they are, so compare the numbers: the silhouette "
        "above each map is the mean over all folds and seeds."
    )


def _table(report: Report, table: pd.DataFrame) -> Table:
    headings = [
        "row",
        "compared with",
        "silhouette",
        "sd",
        "difference",
        "p",
        "intra/inter",
        "sd",
        "difference",
        "p",
        "runs",
    ]
    lines = []
    for row in report.rows:
        found = report.of_row(table, row)
        if len(found):
            one = found.iloc[0]
            line = [Cell(row.name_among(report.rows)), Cell(one["reference"] or "-")]
            for name in ("silhouette", "ratio"):
                line += [number_cell(one[name], 3), number_cell(one[f"{name}_sd"], 3)]
                line += [number_cell(one[f"{name}_difference"], 3), p_cell(one[f"{name}_p"])]
            lines.append([*line, Cell(str(one["runs"]), float(one["runs"]))])
    return Table(headings, lines)

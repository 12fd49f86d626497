"""The verdict: two sentences per task, every comparison with its tests, a forest plot of the differences."""

from __future__ import annotations

import pandas as pd

from affuse.reports.blocks import Block, Cell, Figure, Heading, Prose, Section, Table
from affuse.reports.figures import page_figures
from affuse.reports.numbers import difference_cell, number_cell, p_cell, signed
from affuse.reports.report import Report
from affuse.reports.tables.convergence import trainings_in_words
from affuse.reports.tables.paired import BEST_SINGLE, UNJUDGED
from affuse.reports.tables.verdict import verdict
from affuse.training.comparison_folder import STATISTICS

HEADINGS = (
    "row", "against", "verdict", "BACC, difference [95 %]", "utterances", "Holm p, speakers",
    "Holm p, trainings", "Holm p, McNemar", "detectable",
)  # fmt: skip
NOTE = (
    "Differences in percentage points on the same test utterances, averaged over seeds. Holm p, speakers: paired "
    "bootstrap of the BACC difference, clustered by speaker; would other speakers show it? Holm p, "
    "trainings: corrected "
    "resampled t over folds and seeds; would other trainings show it? McNemar takes utterances for independent. "
    f"utterances: how many more are right, of all (the difference in ACC is in {STATISTICS['paired_tests']}). "
    "detectable: the true BACC difference, in points, that this pair of "
    "rows would show four times in five at the 5 % level. Every p value is corrected for all lines of the table that "
    "are judged."
)
SINGLE = (
    " Rows of several modalities are compared with the best single modality as well, chosen by BACC on validation: "
    "what fusion is worth."
)


def section(report: Report) -> Section | None:
    """A verdict per task that has results."""
    blocks: list[Block] = []
    for task in report.record["tasks"]:
        n = max(
            (sum(len(t) for t in row.tables(task, report.classes(task))[:1]) for row in report.rows),
            default=0,
        )
        if not n:
            continue
        paired = report.of_task(report.statistics.paired_tests, task)
        names = [report.name_of(line) for line in paired.to_dict("records")]
        if len(report.record["tasks"]) > 1:
            blocks.append(Heading(task))
        found, could = verdict(paired, names, n)
        blocks += [
            Prose(text, "verdict") for text in (found, untrained_in_words(report, task), could) if text
        ]
        if len(paired):
            note = NOTE + (SINGLE if (paired["reference_is"] == BEST_SINGLE).any() else "")
            blocks += [*_figures(paired, names, task), _table(paired, names), Prose(note, "soft")]
    if report.failed_note:
        blocks.insert(0, Prose(f"{report.failed_note} The causes are at the end of the page.", "verdict"))
    if not blocks:
        return None
    if report.on_test:
        blocks.append(Prose(report.mark_note, "soft"))
    return Section("Verdict", blocks, paper=True)


def verdict_sentences(report: Report) -> list[str]:
    """The first words of the page, for a terminal: what was found and what could have been, by task."""
    found = section(report)
    return (
        [block.text for block in found.blocks if isinstance(block, Prose) and block.tone == "verdict"]
        if found
        else []
    )


def untrained_in_words(report: Report, task: str) -> str:
    """Which rows did not train, why, and what to try; '' where all of them did."""
    table = report.of_task(report.statistics.trainings, task)
    return trainings_in_words(table, [report.name_of(line) for line in table.to_dict("records")])


def _figures(paired: pd.DataFrame, names: list[str], task: str) -> list[Block]:
    """A figure for each kind of reference, in which every row stands once."""
    caption = (
        "Difference in BACC of every row from the row it is compared with (dot) and its 95 % interval "
        "over speakers (line). "
        "Look for lines that keep off the upright at 0; a diamond is a difference that the tests show after Holm's "
        "correction."
    )
    if (paired["verdict"] == UNJUDGED).any():
        caption += " What is not judged is drawn, not tested."
    kinds = list(dict.fromkeys(paired["reference_is"]))
    drawn: list[Block] = []
    for i, kind in enumerate(kinds):
        of_kind = (paired["reference_is"] == kind).to_numpy()
        part = paired[of_kind]
        rows = pd.DataFrame(
            {
                "label": [name for name, kept in zip(names, of_kind, strict=True) if kept],
                "value": part["bacc_difference"].to_numpy(float),
                "low": part["bacc_low"].to_numpy(float),
                "high": part["bacc_high"].to_numpy(float),
                "shown": part["verdict"].isin(("higher", "lower")).to_numpy(),
            }
        )
        title = f"Against {kind}" if len(kinds) > 1 else ""
        drawn.append(Figure(page_figures.differences(rows, f"{task}-{i}"), "" if i else caption, title))
    return drawn


def _table(paired: pd.DataFrame, names: list[str]) -> Table:
    lines = []
    for name, line in zip(names, paired.to_dict("records"), strict=True):
        lines.append(
            [
                Cell(name),
                Cell(line["reference"]),
                Cell(line["verdict"]),
                difference_cell(line["bacc_difference"], line["bacc_low"], line["bacc_high"]),
                Cell(f"{signed(line['utterances'], 0)} of {line['n']}", float(line["utterances"])),
                p_cell(line["bacc_p_holm"]),
                p_cell(line["resampled_p_holm"]),
                p_cell(line["mcnemar_p_holm"]),
                number_cell(100 * line["bacc_detectable"], 1),
            ]
        )
    return Table(HEADINGS, lines, page_only=("Holm p, McNemar", "detectable"))

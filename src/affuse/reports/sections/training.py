"""Training: whether it trained, losses by epoch and, for several tasks, the joint loss and the task weights."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from affuse.evaluation.measures import RatingMeasure, SetMeasure
from affuse.reports.blocks import Block, Cell, Figure, Figures, Heading, Prose, Section, Table
from affuse.reports.figures.training_curves import epochs_of, training_curves
from affuse.reports.numbers import UNKNOWN, number_cell, p_cell
from affuse.reports.report import Report
from affuse.reports.tables.rows import Row

_DRAWN = 12
_RATED = " Of ratings, CCC takes the place of BACC: by chance it is 0."
_SEVERAL = " Of several labels at once, macro F1 takes its place: by chance it is that of the same answers, shuffled."
_NOTE = (
    "A run never left the start if its loss does not fall, or if one of its first two epochs was the best of five or "
    "more and its answers are no better than chance. It was still improving if the best epoch is in the last tenth of "
    "those allowed and the curve still falls. It diverged if its loss ends above its first value. A row is not judged "
    "if its BACC is no better than chance (p: chance; one-sided, 5\u00a0%), if more than a fifth of its runs never "
    "left the start or diverged, or if more than a third of them never left the start, were still improving or "
    "diverged. Its numbers are shown anyway."
)


def section(report: Report) -> Section | None:
    """A table of the trainings per task, and a figure per row, mean over its folds and seeds."""
    blocks: list[Block] = []
    for task in report.record["tasks"]:
        table = report.of_task(report.statistics.trainings, task)
        if len(table):
            if len(report.record["tasks"]) > 1:
                blocks.append(Heading(task))
            blocks.append(trainings_table(table, [report.name_of(line) for line in table.to_dict("records")]))
    if blocks:
        rated = any(isinstance(measure, RatingMeasure) for measure in report.measures.values())
        several = any(isinstance(measure, SetMeasure) for measure in report.measures.values())
        blocks.append(Prose(_NOTE + (_RATED if rated else "") + (_SEVERAL if several else ""), "soft"))
    figures = curves(report.rows)
    if figures:
        blocks += [Heading("Losses by epoch"), Prose(_in_words(report), "soft"), Figures(figures)]
    return Section("Training", blocks) if blocks else None


def trainings_table(table: pd.DataFrame, names: Sequence[str]) -> Table:
    """A line per row of ``trainings.csv``."""
    headings = (
        "row", "runs", "never left the start", "still improving", "diverged", "epoch kept, median", "of epochs",
        "p: chance", "judged",
    )  # fmt: skip
    lines = []
    for name, line in zip(names, table.to_dict("records"), strict=True):
        without = (
            line["unknown"] == line["runs"]
        )  # no epochs: a classical classifier, or runs of an older kind
        counts = [
            line["runs"],
            *((None if without else line[n]) for n in ("never_left", "improving", "diverged")),
        ]
        lines.append(
            [
                Cell(name),
                *(Cell(UNKNOWN, -1.0) if n is None else Cell(str(int(n)), float(n)) for n in counts),
                number_cell(line["kept_median"], 0),
                number_cell(line["epochs"], 0),
                p_cell(line["chance_p"]),
                Cell(f"no: {line['trainings']}" if line["trainings"] else "yes"),
            ]
        )
    return Table(headings, lines, prose=True)


def curves(rows: Sequence[Row], name: str = "") -> list[Figure]:
    """A figure per row that kept its epochs; ``name`` keeps the ids of two comparisons on one page apart."""
    figures = []
    for i, row in enumerate(rows[:_DRAWN]):
        tables = [run.metrics for run in row.runs if len(run.metrics)]
        if tables:
            count = f"Mean of {len(tables)} runs" if len(tables) > 1 else "One run"
            epochs = epochs_of(tables)
            caption = f"{count} of {epochs} epoch{'' if epochs == '1' else 's'}."
            drawn = training_curves(tables, f"{name}{i}")
            figures.append(Figure(drawn, caption, row.name_among(rows), wide=False))
    return figures


def _in_words(report: Report) -> str:
    """What the figures show, and which epoch was kept."""
    several = len(report.record["tasks"]) > 1
    text = (
        "Unweighted loss of each task by epoch: the training part solid, the part that is measured after every epoch "
        "dashed. Where the dashed curve rises while the solid one falls, the network begins to overfit. "
        + (JOINT if several else "")
        + f"Different losses have different scales. {kept_in_words(report.rows)}"
    )
    if report.on_test:
        text += f" {report.mark_note}"
    more = f" The first {_DRAWN} rows are drawn." if len(report.rows) > _DRAWN else ""
    return text + more


JOINT = (
    "Black (white on a dark page): the joint loss, with the weights of that epoch. Below it: the weight of each task; "
    "a task whose weight goes to 0 is no longer learnt. "
)


def kept_in_words(rows: Sequence[Row]) -> str:
    """Which epoch was kept, as each row's own settings have it; rows without epochs are not spoken of."""
    ways: dict[str, list[Row]] = {}
    trained = [row for row in rows if any(len(run.metrics) for run in row.runs)]
    for row in trained:
        ways.setdefault(_kept(row), []).append(row)
    if len(ways) < 2:
        return "".join(f"{way[0].upper()}{way[1:]}." for way in ways)
    told = [f"{way} ({', '.join(row.name_among(trained) for row in of)})" for way, of in ways.items()]
    text = "; ".join(told)
    return f"{text[0].upper()}{text[1:]}."


def _kept(row: Row) -> str:
    return f"the kept epoch is {criterion_in_words(row)}"


def criterion_in_words(row: Row) -> str:
    """'the best by BACC on the validation part', or why it is the last one."""
    if row.select == "last":
        return "the last one, as the recipe says"
    watched = any(c.startswith(f"{row.watched}_loss_") for run in row.runs for c in run.metrics.columns)
    if not watched:
        return "the last one, since there is no part to choose it on"
    criterion = row.recipe.get("training", {}).get("criterion", "bacc")
    words = {
        "bacc": "BACC", "acc": "ACC", "ccc": "CCC", "macro_f1": "macro F1", "loss": "loss",
        "last_batch": "the loss of one randomly drawn batch",
    }  # fmt: skip
    by = words[criterion]
    kinds = {str(task.get("kind", "classes")) for task in row.recipe.get("tasks", {}).values()}
    other = {"regression": "of ratings CCC", "multilabel": "of several labels at once macro F1"}
    others = [text for kind, text in other.items() if kind in kinds]
    if others and criterion in ("bacc", "acc"):
        if "classes" in kinds:
            by = f"{by} ({', '.join(others)})"
        else:
            by = (
                "CCC"
                if kinds == {"regression"}
                else "macro F1"
                if kinds == {"multilabel"}
                else "CCC and macro F1"
            )
    return f"the best by {by} on the {row.watched} part"

"""Training: losses by epoch and, for several tasks, the weights' way."""

from __future__ import annotations

from affuse.reports.blocks import Figure, Figures, Prose, Section
from affuse.reports.report import Report
from affuse.reports.training_curves import epochs_of, training_curves

_DRAWN = 12


def section(report: Report) -> Section | None:
    """A figure per row, mean over its folds and seeds."""
    figures = []
    for i, row in enumerate(report.rows[:_DRAWN]):
        tables = [run.metrics for run in row.runs if len(run.metrics)]
        if tables:
            caption = f"Mean of {len(tables)} runs of {epochs_of(tables)} epochs."
            drawn = training_curves(tables, str(i))
            figures.append(Figure(drawn, caption, row.name_among(report.rows), wide=False))
    if not figures:
        return None
    several = len(report.record["tasks"]) > 1
    text = (
        "Unweighted loss of each task by epoch, training solid and validation dashed. Look for the epoch "
        "from which the "
        "dashed line rises while the solid one falls: there the network begins to learn its utterances by heart. "
        + (
            "Below, the weight of each task in the joint loss; one that goes to 0 is no longer learnt. "
            if several
            else ""
        )
        + "Losses of two kinds are on two scales. The epoch that was kept is the best on the validation "
        "part, not the last."
    )
    if report.on_test:
        text += f" {report.mark_note}"
    more = f" The first {_DRAWN} rows are drawn." if len(report.rows) > _DRAWN else ""
    return Section("Training", [Prose(text + more, "soft"), Figures(figures)])

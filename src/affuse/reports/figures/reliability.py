"""Reliability curves: accuracy by confidence, before and after temperature scaling, one panel per row."""

from __future__ import annotations

import math

import pandas as pd

from affuse.reports.figures.drawing import (
    COLOURS,
    INK,
    NARROW,
    Drawing,
    as_svg,
    columns_for,
    legend,
    new_grid,
    set_title,
)


def reliability_curves(panels: dict[str, pd.DataFrame], name: str) -> Drawing:
    """Draw a panel for each row.

    Args:
        panels: Title -> lines of ``reliability.csv`` (columns scaled, confidence, accuracy, n) of one row.
        name: What the ids within the drawing begin with.

    Returns:
        The panels, on a telephone two beside each other. The area of a dot is the share of utterances in its bin.
    """
    columns = columns_for(len(panels))
    wide = _draw(panels, name, columns, 0.4 + 1.8 * columns)
    return Drawing(wide, "" if columns == 1 else _draw(panels, f"{name}-narrow", 2, NARROW))


def _draw(panels: dict[str, pd.DataFrame], name: str, columns: int, width: float) -> str:
    rows = math.ceil(len(panels) / columns)
    figure, grid = new_grid(rows, columns, 0.4 + 2.2 * rows, width, sharex=True, sharey=True)
    drawn = {}
    for axes, (title, curve) in zip(grid, panels.items(), strict=False):
        axes.plot([0, 100], [0, 100], color=INK, lw=1, ls=":")
        for scaled, colour, marker in ((False, COLOURS[0], "o"), (True, COLOURS[5], "D")):
            part = curve[curve["scaled"] == scaled]
            if len(part):
                x, y = 100 * part["confidence"], 100 * part["accuracy"]
                drawn[scaled] = axes.plot(x, y, "-", color=colour, lw=1.2, marker=marker, ms=2.5)[0]
                axes.scatter(
                    x, y, 160 * part["n"] / part["n"].sum(), color=colour, marker=marker, alpha=0.35, lw=0
                )
        axes.set(xlim=(0, 103), ylim=(0, 103), xticks=(0, 50, 100), yticks=(0, 50, 100))
        set_title(axes, title)
        axes.grid(color=INK, alpha=0.12, lw=0.6)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    for i in range(len(panels)):
        if i % columns == 0:
            grid[i].set_ylabel("correct, percent")
        if i + columns >= len(panels):
            grid[i].set_xlabel("confidence, percent")
            grid[i].tick_params(labelbottom=True)
    names = {False: "as predicted", True: "temperature from validation"}
    legend(
        figure, list(drawn.values()), [names[scaled] for scaled in drawn], columns=1 if columns == 1 else 2
    )
    return as_svg(figure, f"reliability-{name}")

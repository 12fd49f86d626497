"""Training curves and weight trajectories for the page (the second paper's Fig. 2)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from affuse.reports.drawing import COLOURS, INK, as_svg, new_grid


def training_curves(tables: Sequence[pd.DataFrame], name: str) -> str:
    """``metrics.csv`` of a row's runs: the mean over runs by epoch, as long as any run goes on.

    Above, per task: the unweighted loss, training solid and validation dashed. Below, with several tasks: their
    weights.
    """
    every = pd.concat(tables).groupby("epoch").mean()
    tasks = [c.removeprefix("train_loss_") for c in every.columns if c.startswith("train_loss_")]
    panels = 2 if len(tasks) > 1 else 1
    figure, grid = new_grid(panels, 1, 2.3 * panels, 3.3)
    x = every.index.to_numpy(int)
    for i, task in enumerate(tasks):
        colour = COLOURS[(0, 5, 2, 3, 1, 4)[i % 6]]
        for part, style in (("train", "-"), ("validation", "--")):
            column = f"{part}_loss_{task}"
            if column in every:
                label = f"{task}, {'training' if part == 'train' else part}"
                marker = "." if len(x) == 1 else ""
                grid[0].plot(x, every[column], style, color=colour, lw=1.5, label=label, marker=marker)
        if panels == 2 and f"weight_{task}" in every:
            grid[1].plot(x, every[f"weight_{task}"], color=colour, lw=1.5, label=task)
    grid[0].set(xlabel="epoch", ylabel="loss per utterance")
    grid[0].set_ylim(bottom=min(0.0, grid[0].get_ylim()[0]))
    if panels == 2:
        low, high = grid[1].get_ylim()
        grid[1].set(xlabel="epoch", ylabel="weight", ylim=(min(0.0, low), max(1.0, high)))
    for axes in grid:
        axes.grid(color=INK, alpha=0.12, lw=0.6)
        axes.xaxis.get_major_locator().set_params(integer=True)
        shown = axes.legend(fontsize=8, frameon=False)
        for text in shown.get_texts():
            text.set_color(INK)
    return as_svg(figure, f"training-{name}")


def epochs_of(tables: Sequence[pd.DataFrame]) -> str:
    """'6', or '4 to 9'."""
    counts = sorted({len(table) for table in tables})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"

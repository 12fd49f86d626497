"""Training curves and weight trajectories for the page (the second paper's Fig. 2)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from affuse.reports.figures.drawing import COLOURS, INK, as_svg, legend, new_grid

PARTS = ("train", "validation", "test")  # test: where the epoch was chosen on it


def training_curves(tables: Sequence[pd.DataFrame], name: str, kept: int | None = None) -> str:
    """``metrics.csv`` of a row's runs: the mean over runs by epoch, as long as any run goes on.

    Above, per task: the unweighted loss, training solid, the watched part dashed; with several tasks also the joint
    loss as weighted in each epoch, in the page's ink. Below, with several tasks: their weights. ``kept``: the epoch
    whose weights were kept, an upright line.
    """
    every = pd.concat([with_joint(table) for table in tables]).groupby("epoch").mean()
    tasks = tasks_of(every)
    panels = 2 if len(tasks) > 1 else 1
    figure, grid = new_grid(panels, 1, 2.3 if panels == 1 else 5.2, 3.3)
    x = every.index.to_numpy(int)
    marker = "." if len(x) == 1 else ""
    for part, style in zip(PARTS, ("-", "--", "--"), strict=True):
        word = "training" if part == "train" else part
        if panels == 2 and f"{part}_joint" in every:
            grid[0].plot(
                x, every[f"{part}_joint"], style, color=INK, lw=1.2, label=f"joint, {word}", marker=marker
            )
        for i, task in enumerate(tasks):
            if f"{part}_loss_{task}" in every:
                line = every[f"{part}_loss_{task}"]
                grid[0].plot(x, line, style, color=_colour(i), lw=1.5, label=f"{task}, {word}", marker=marker)
    for i, task in enumerate(tasks):
        if panels == 2 and f"weight_{task}" in every:
            grid[1].plot(x, every[f"weight_{task}"], color=_colour(i), lw=1.5, label=task, marker=marker)
    grid[0].set(xlabel="epoch", ylabel="loss per utterance")
    grid[0].set_ylim(bottom=min(0.0, grid[0].get_ylim()[0]))
    if panels == 2:
        low, high = grid[1].get_ylim()
        grid[1].set(xlabel="epoch", ylabel="weight", ylim=(min(0.0, low), max(1.0, high)))
    for axes in grid:
        if kept is not None:
            axes.axvline(kept, color=INK, lw=0.9, ls=(0, (1, 2)))
        axes.grid(color=INK, alpha=0.12, lw=0.6)
        axes.xaxis.get_major_locator().set_params(integer=True)
        if panels == 2 and axes is grid[0]:  # six curves leave no room inside
            legend(figure, *axes.get_legend_handles_labels(), columns=2, size=8)
            continue
        shown = axes.legend(fontsize=8, frameon=False, ncols=panels)
        for text in shown.get_texts():
            text.set_color(INK)
    return as_svg(figure, f"training-{name}")


def tasks_of(metrics: pd.DataFrame) -> list[str]:
    """The tasks of a ``metrics.csv``."""
    return [c.removeprefix("train_loss_") for c in metrics.columns if c.startswith("train_loss_")]


def with_joint(metrics: pd.DataFrame) -> pd.DataFrame:
    """``metrics.csv`` with ``validation_joint`` (or ``test_joint``): its losses, weighted as in the same epoch.

    A column is left out where a task's loss or weight is not there.
    """
    found = metrics.copy()
    tasks = tasks_of(metrics)
    for part in PARTS[1:]:
        pairs = [(f"weight_{task}", f"{part}_loss_{task}") for task in tasks]
        if pairs and all(name in metrics for pair in pairs for name in pair):
            found[f"{part}_joint"] = sum(metrics[weight] * metrics[loss] for weight, loss in pairs)
    return found


def epochs_of(tables: Sequence[pd.DataFrame]) -> str:
    """'6', or '4 to 9'."""
    counts = sorted({len(table) for table in tables})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def _colour(task: int) -> str:
    return COLOURS[(0, 5, 2, 3, 1, 4)[task % 6]]

"""Figures of training: what the losses and the task weights did over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from affuse.errors import AffuseError
from affuse.figures import literal, save_literally
from affuse.files import replacing
from affuse.training.runfolder import METRICS, RunFolder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_DASHES = ("-", "--", ":")


def training_figure(runs: Mapping[str, Sequence[str | Path]]) -> Figure:
    """A row of two panels per entry of ``runs``: title -> run folders (seeds, folds) whose mean is drawn.

    Left: the joint loss (as weighted) and each task's unweighted loss by epoch, training solid, validation
    dashed. Right: each task's weight. Bands are one standard deviation over the folders; an epoch that some
    folders did not reach is left out. Raises AffuseError where a folder has no ``metrics.csv``.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.6 * len(runs)), layout="constrained")
    grid = figure.subplots(len(runs), 2, squeeze=False)
    for (losses, weights), (title, folders) in zip(grid, runs.items(), strict=True):
        tables = [_metrics(Path(folder)) for folder in folders]
        tasks = [c.removeprefix("train_loss_") for c in tables[0].columns if c.startswith("train_loss_")]
        colours = {"joint": "black"} | {task: f"C{i}" for i, task in enumerate(tasks)}
        _curve(losses, [t["train_joint"] for t in tables], "joint, training", colours["joint"], "-")
        if f"validation_loss_{tasks[0]}" in tables[0]:
            joint = [sum(t[f"weight_{k}"] * t[f"validation_loss_{k}"] for k in tasks) for t in tables]
            _curve(losses, joint, "joint, validation", colours["joint"], "--")  # type: ignore[arg-type]
        for task in tasks:
            for part, style in (("train", "-"), ("validation", "--")):
                if f"{part}_loss_{task}" in tables[0]:
                    label = f"{task}, {'training' if part == 'train' else part}"
                    _curve(losses, [t[f"{part}_loss_{task}"] for t in tables], label, colours[task], style)
            # dashes of different lengths: equal weights lie on one line
            _curve(
                weights,
                [t[f"weight_{task}"] for t in tables],
                task,
                colours[task],
                _DASHES[len(weights.lines) % 3],
            )
        count = f"{len(tables)} run{'s' if len(tables) > 1 else ''}"
        # a rating's loss is no likelihood
        unit = "loss" if tables[0].columns.str.contains("_ccc_").any() else "nats per utterance"
        losses.set(title=f"{title} ({count}): losses", xlabel="epoch", ylabel=unit)
        weights.set(title="task weights", xlabel="epoch", ylabel="weight")
        losses.set_ylim(bottom=min(0.0, losses.get_ylim()[0]))
        low, high = weights.get_ylim()
        weights.set_ylim(min(0.0, low), max(1.0, high))
        for panel in (losses, weights):
            panel.legend(
                fontsize=7, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.2)
            )  # beside the curves
            panel.grid(alpha=0.3)
    return literal(figure)


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write .png, .svg or .pdf, atomically."""
    path = Path(path)
    with replacing(path) as temporary:
        save_literally(figure, temporary, format=path.suffix.removeprefix("."), dpi=120)


def _curve(axes: Axes, series: Sequence[pd.Series], label: str, colour: str, style: str) -> None:
    epochs = min(len(one) for one in series)
    values = np.stack([one.to_numpy(float)[:epochs] for one in series])
    x = np.arange(1, epochs + 1)
    mean = values.mean(axis=0)
    axes.plot(x, mean, style, color=colour, label=label, linewidth=1.3, marker="." if epochs == 1 else "")
    if len(values) > 1:
        deviation = values.std(axis=0, ddof=1)
        axes.fill_between(x, mean - deviation, mean + deviation, color=colour, alpha=0.12, linewidth=0)


def _metrics(folder: Path) -> pd.DataFrame:
    table = RunFolder(folder).metrics()
    if not len(table):
        raise AffuseError(f"{folder} has no {METRICS}; name the folders of runs.")
    return table

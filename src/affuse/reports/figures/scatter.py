"""Answers by rating: every utterance as a dot, or how many there are where there are many; one panel per row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

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

DOTS = 400  # utterances of a panel beyond which dots hide each other
_CELLS = 36  # of a side of a panel, where dots are counted
_BARS = 24  # of a distribution at the edge
_MEANS = 8  # parts of the range with a mean answer each
_LEAST = 3  # utterances of such a part


def scatter(
    panels: Mapping[str, tuple[np.ndarray, np.ndarray]], limits: tuple[float, float], task: str
) -> Drawing:
    """Draw a panel for each row.

    Args:
        panels: Title -> (n,) ratings and (n,) answers.
        limits: The range of the ratings.
        task: Names the axes, and keeps the ids of two figures apart.

    Returns:
        The panels, on a telephone two beside each other. Dotted: answers equal to ratings; the line with marks: the
        mean answer by rating. Grey, at the edges: how ratings (below) and answers (at the left) are distributed.
    """
    columns = columns_for(len(panels))
    wide = _draw(panels, limits, task, "", columns, 0.5 + (2.1 if columns > 1 else 3.2) * columns)
    if columns == 1:
        return Drawing(wide, "")
    return Drawing(wide, _draw(panels, limits, task, "-narrow", 2, NARROW))


def _draw(
    panels: Mapping[str, tuple[np.ndarray, np.ndarray]],
    limits: tuple[float, float],
    task: str,
    ending: str,
    columns: int,
    width: float,
) -> str:
    from matplotlib.ticker import MaxNLocator

    rows = math.ceil(len(panels) / columns)
    # beside the square panels: the legend, the words below, and titles of two lines
    height = 0.6 + (width / columns + 0.35) * rows
    figure, grid = new_grid(rows, columns, height, width, sharex=True, sharey=True)
    low, high = limits
    margin = 0.03 * (high - low)
    ticks = [
        tick for tick in MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high) if low <= tick <= high
    ]
    shown: dict[str, Any] = {}
    for axes, (title, (ratings, answers)) in zip(grid, panels.items(), strict=False):
        _edges(axes, ratings, answers, limits)
        if len(ratings) <= DOTS:
            alpha = float(np.clip(40 / max(len(ratings), 1), 0.25, 0.7))
            axes.plot(ratings, answers, "o", color=COLOURS[0], ms=3.5, mew=0, alpha=alpha)
        else:
            _density(axes, ratings, answers, limits)
        shown["answer = rating"] = axes.plot(limits, limits, color=INK, lw=1, ls=":")[0]
        means = _mean_answers(ratings, answers, limits)
        if len(means):
            shown["mean answer"] = axes.plot(*means.T, "-", color=COLOURS[5], lw=1.5, marker="D", ms=3)[0]
        axes.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin), aspect="equal")
        axes.set(xticks=ticks, yticks=ticks)
        if len(panels) > 1:
            set_title(axes, title)
        axes.grid(color=INK, alpha=0.12, lw=0.6)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    for i in range(len(panels)):
        if i % columns == 0:
            grid[i].set_ylabel("answer")
        if i + columns >= len(panels):
            grid[i].set_xlabel(f"{task}, rating" if columns == 1 else "rating")
            grid[i].tick_params(labelbottom=True)
    legend(figure, list(shown.values()), list(shown), columns=2)
    return as_svg(figure, f"scatter-{task}{ending}")


def _density(axes: Any, ratings: np.ndarray, answers: np.ndarray, limits: tuple[float, float]) -> None:
    """How many utterances there are in each cell: the darker, the more, on a scale on which one is still seen."""
    from matplotlib.colors import to_rgb

    edges = np.linspace(*limits, _CELLS + 1)
    counts = np.histogram2d(answers, ratings, (edges, edges))[0]
    strength = np.log1p(counts) / np.log1p(counts.max())
    image = np.empty((*counts.shape, 4))
    image[..., :3] = to_rgb(COLOURS[0])
    image[..., 3] = np.where(counts > 0, 0.18 + 0.82 * strength, 0)
    axes.imshow(image, extent=(*limits, *limits), origin="lower", interpolation="nearest", aspect="equal")


def _edges(axes: Any, ratings: np.ndarray, answers: np.ndarray, limits: tuple[float, float]) -> None:
    """The distributions of ratings and answers, an eighth of the panel high, on one scale."""
    edges = np.linspace(*limits, _BARS + 1)
    found = [np.histogram(values, edges)[0].astype(float) for values in (ratings, answers)]
    top = max(counts.max() for counts in found) or 1.0
    low, high = limits
    for counts, fill in zip(found, (axes.fill_between, axes.fill_betweenx), strict=True):
        heights = low + (high - low) / 8 * np.append(counts, counts[-1]) / top
        fill(edges, low, heights, step="post", color=INK, alpha=0.18, lw=0)


def _mean_answers(ratings: np.ndarray, answers: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """(parts, 2): mean rating and mean answer of each part of the range that has utterances enough."""
    part = np.clip(np.digitize(ratings, np.linspace(*limits, _MEANS + 1)) - 1, 0, _MEANS - 1)
    found = [
        (float(ratings[part == i].mean()), float(answers[part == i].mean()))
        for i in range(_MEANS)
        if (part == i).sum() >= _LEAST
    ]
    return np.array(found).reshape(-1, 2)

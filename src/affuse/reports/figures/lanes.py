"""Figures with a lane per row: results and differences with their intervals, speakers, class distribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from affuse.evaluation.measures import SHOWN, Shown
from affuse.reports.figures.drawing import (
    COLOURS,
    INCHES,
    INK,
    MARKERS,
    NARROW,
    Drawing,
    as_svg,
    legend,
    new_figure,
    two_lines,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_lanes(
    labels: Sequence[str], narrow: bool, xlabel: str, each: float = 0.34, above: float = 0.8
) -> tuple[Figure, Any, np.ndarray]:
    """Axes with a horizontal lane per label, the first uppermost: (figure, axes, heights of the lanes).

    Args:
        labels: Beside the lanes, or above them where it is narrow.
        narrow: For a telephone.
        xlabel: Of the axis that all lanes share.
        each: Height of a lane in inches.
        above: Height of the rest in inches.
    """
    count = len(labels)
    places = np.arange(count)[::-1].astype(float)
    figure, axes = new_figure(above + (each + (0.2 if narrow else 0)) * count, NARROW if narrow else INCHES)
    if narrow:
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        for place, label in zip(places, labels, strict=True):
            axes.text(
                0,
                place + 0.28,
                label,
                transform=axes.get_yaxis_transform(),
                va="bottom",
                fontsize=9,
                color=INK,
            )
    else:
        axes.set_yticks(places, [two_lines(label) for label in labels])
    axes.set_xlabel(xlabel)
    axes.grid(axis="x", color=INK, alpha=0.15, lw=0.6)
    axes.set_ylim(-0.6 if narrow else -0.7, count - (0.1 if narrow else 0.3))
    return figure, axes, places


def forest(rows: pd.DataFrame, chance: float | None, metric: str, name: str, factor: float = 100) -> Drawing:
    """A row per cell: its value (dot), its interval (line) and, where known, the best possible value (bar).

    Args:
        rows: Columns label, group, value, low, high, ceiling, all numbers 0 to 1 (CCC: from -1) or NaN.
        chance: Share of the commonest class, or the CCC of the mean rating, or None.
        metric: What the axis is called.
        name: Keeps the ids of two figures on a page apart.
        factor: 100 for percent, else 1.
    """

    def draw(narrow: bool) -> str:
        labels = [str(label) for label in rows["label"]]
        figure, axes, places = new_lanes(labels, narrow, _axis(metric, factor), above=0.9)
        groups = list(dict.fromkeys(rows["group"]))
        for place, row in zip(places, rows.to_dict("records"), strict=True):
            colour = COLOURS[groups.index(row["group"]) % len(COLOURS)]
            _interval(axes, place, row, colour, "o", factor)
            if not np.isnan(row["ceiling"]):
                half = 0.2 if narrow else 0.42
                axes.plot([factor * row["ceiling"]] * 2, [place - half, place + half], color=INK, lw=2)
        if chance is not None:
            axes.axvline(factor * chance, color=INK, lw=1, ls=":")
        return as_svg(figure, f"forest-{name}{'-narrow' if narrow else ''}")

    return Drawing(draw(False), draw(True))


def _axis(metric: str, factor: float) -> str:
    return f"{metric}, percent" if factor == 100 else metric


def _interval(
    axes: Any, place: float, row: Mapping[Any, Any], colour: str, marker: str, factor: float = 100
) -> None:
    """A value with its interval on a lane."""
    if not np.isnan(row["low"]):
        ends = [factor * row["low"], factor * row["high"]]
        axes.plot(ends, [place, place], color=colour, lw=2.2, alpha=0.6)
    axes.plot(factor * row["value"], place, marker, color=colour, ms=5.5)


def class_distribution(counts: Mapping[str, int], name: str) -> Drawing:
    """Labelled utterances per class, with their share (the first paper's Fig. 1)."""
    values = list(counts.values())
    total = sum(values) or 1

    def draw(narrow: bool) -> str:
        figure, axes, places = new_lanes(list(counts), narrow, "labelled utterances", 0.36, 0.7)
        axes.barh(places, values, color=COLOURS[0], height=0.35 if narrow else 0.65)
        for place, value in zip(places, values, strict=True):
            share = f"{value} ({100 * value / total:.1f} %)"
            axes.text(value + 0.01 * max(values), place, share, va="center", color=INK, fontsize=9)
        axes.set_xlim(0, (1.4 if narrow else 1.22) * max(values))
        return as_svg(figure, f"classes-{name}{'-narrow' if narrow else ''}")

    return Drawing(draw(False), draw(True))


def differences(rows: pd.DataFrame, name: str, shown: Shown = SHOWN["bacc"]) -> Drawing:
    """A line per comparison: the difference (dot) with its interval, about the line of no difference.

    Args:
        rows: Columns label, value, low, high (0 to 1 or NaN), shown (whether the verdict says so: a diamond).
        name: Keeps the ids of two figures on a page apart.
        shown: How the metric is shown.
    """
    unit = ", percentage points" if shown.percent else ""

    def draw(narrow: bool) -> str:
        labels = [str(label) for label in rows["label"]]
        figure, axes, places = new_lanes(labels, narrow, f"difference in {shown.title}{unit}")
        axes.axvline(0, color=INK, lw=1)
        for place, row in zip(places, rows.to_dict("records"), strict=True):
            sure = bool(row["shown"])
            _interval(axes, place, row, COLOURS[5 if sure else 0], "D" if sure else "o", shown.factor)
        return as_svg(figure, f"differences-{name}{'-narrow' if narrow else ''}")

    return Drawing(draw(False), draw(True))


def speaker_dots(
    rows: pd.DataFrame, groups: pd.Series, metric: str, name: str, factor: float = 100
) -> Drawing:
    """A line per row and on it a dot per speaker; the bar is the mean over speakers.

    Args:
        rows: Columns label, speaker, value (0 to 1).
        groups: Speaker -> group, shown by colour and marker.
        metric: What the axis is called.
        name: Keeps the ids of two figures on a page apart.
        factor: 100 for percent, else 1.
    """
    labels = list(dict.fromkeys(rows["label"]))
    kinds = sorted(groups.dropna().unique())

    def draw(narrow: bool) -> str:
        figure, axes, places = new_lanes(labels, narrow, _axis(f"{metric} of a speaker", factor), 0.36, 1.1)
        drawn = {}
        for place, label in zip(places, labels, strict=True):
            of_row = rows[rows["label"] == label]
            mean, half = factor * of_row["value"].mean(), 0.2 if narrow else 0.36
            axes.plot([mean, mean], [place - half, place + half], color=INK, lw=2)
            for i, kind in enumerate([*kinds, None]):
                of_kind = of_row["speaker"].map(groups)
                values = of_row.loc[of_kind.isna() if kind is None else of_kind == kind, "value"]
                if len(values):
                    # the groups a little apart, so that dots of equal value are seen
                    height = place + (0.1 if narrow else 0.14) * (1 if i % 2 else -1) * (len(kinds) > 1)
                    drawn[kind] = axes.plot(
                        factor * values, np.full(len(values), height), MARKERS[i], color=COLOURS[i % len(COLOURS)],
                        ms=5, alpha=0.75, mew=0, ls="",
                    )[0]  # fmt: skip
        if kinds:
            shown = [kind for kind in drawn if kind is not None]
            legend(figure, [drawn[kind] for kind in shown], [str(kind) for kind in shown])
        return as_svg(figure, f"speakers-{name}{'-narrow' if narrow else ''}")

    return Drawing(draw(False), draw(True))

"""The figures of a report as inline SVG: one colour per recipe, legible to colour-blind readers, light or dark.

Every figure is drawn on a clear ground with its lines and letters in a marker colour, which then becomes
``currentColor``: it takes the page's own ink, in the light theme and in the dark one.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, without its yellow (too pale on paper) and its black (unseen on a dark page)
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
_INK = "#010203"  # stands for the page's ink until the SVG is written
_INCHES = 6.0  # width of a figure at its natural size: still legible on a telephone


def forest(rows: pd.DataFrame, chance: float | None, metric: str) -> str:
    """A row per cell: its value (dot), its interval (line) and, where known, the best possible value (bar).

    rows: columns label, group, value, low, high, ceiling, all numbers 0 to 1 or NaN
    chance: share of the commonest class, or None
    """
    figure, axes = _figure(0.9 + 0.27 * len(rows))
    groups = list(dict.fromkeys(rows["group"]))
    places = np.arange(len(rows))[::-1]
    for place, row in zip(places, rows.to_dict("records"), strict=True):
        colour = COLOURS[groups.index(row["group"]) % len(COLOURS)]
        if not np.isnan(row["low"]):
            axes.plot([100 * row["low"], 100 * row["high"]], [place, place], color=colour, lw=2.2, alpha=0.6)
        axes.plot(100 * row["value"], place, "o", color=colour, ms=5.5)
        if not np.isnan(row["ceiling"]):
            axes.plot([100 * row["ceiling"]] * 2, [place - 0.42, place + 0.42], color=_INK, lw=2)
    if chance is not None:
        axes.axvline(100 * chance, color=_INK, lw=1, ls=":")
    axes.set_yticks(places, rows["label"])
    axes.set_xlabel(f"{metric}, percent")
    axes.grid(axis="x", color=_INK, alpha=0.15, lw=0.6)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    return _svg(figure, "forest")


def class_distribution(counts: dict[str, int]) -> str:
    """Labelled utterances per class, with their share (the first paper's Fig. 1)."""
    figure, axes = _figure(0.7 + 0.36 * len(counts))
    names = list(counts)[::-1]
    values = [counts[name] for name in names]
    total = sum(values) or 1
    axes.barh(names, values, color=COLOURS[0], height=0.65)
    for place, value in enumerate(values):
        axes.text(
            value + 0.01 * max(values),
            place,
            f"{value} ({100 * value / total:.0f} %)",
            va="center",
            color=_INK,
        )
    axes.set_xlim(0, 1.22 * max(values))
    axes.set_xlabel("labelled utterances")
    return _svg(figure, "classes-" + "-".join(counts))


def confusion(matrix: np.ndarray, classes: Sequence[str], name: str) -> str:
    """Row-normalised confusion matrix in percent: (true class, called class); ``name`` keeps its ids apart."""
    figure, axes = _figure(0.8 + 0.62 * len(classes), width=0.9 + 0.8 * len(classes))
    support = matrix.sum(axis=1, keepdims=True)
    share = np.divide(matrix, support, out=np.zeros(matrix.shape), where=support > 0)
    axes.pcolormesh(share, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=1)
    for i in range(len(classes)):
        for j in range(len(classes)):
            ink = "#ffffff" if share[i, j] > 0.5 else "#12202e"
            axes.text(j + 0.5, i + 0.5, f"{100 * share[i, j]:.0f}", ha="center", va="center", color=ink)
    axes.set_xticks(np.arange(len(classes)) + 0.5, classes)
    axes.set_yticks(np.arange(len(classes)) + 0.5, classes)
    axes.tick_params(length=0)
    axes.invert_yaxis()
    axes.set_xlabel("called")
    axes.set_ylabel("true")
    for spine in axes.spines.values():
        spine.set_visible(False)
    return _svg(figure, f"confusion-{name}")


def _figure(height: float, width: float = _INCHES) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    axes: Any = figure.subplots()
    axes.patch.set_alpha(0)
    for name in ("top", "right"):
        axes.spines[name].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color(_INK)
    axes.tick_params(colors=_INK, labelsize=9)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    return figure, axes


def _svg(figure: Figure, name: str) -> str:
    """The figure as an <svg> element: page's ink, ids of its own, no size but its proportions."""
    import matplotlib

    stream = io.StringIO()
    # letters stay letters: they can be selected and searched; a fixed salt makes the file repeatable
    with matplotlib.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "affuse", "font.family": "sans-serif"}
    ):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL).replace(_INK, "currentColor")
    slug = re.sub(r"\W+", "-", name)
    text = re.sub(r'(\bid="|url\(#|href="#)', lambda match: f"{match[1]}{slug}-", text)
    # at most 1.25 times its natural size; a point is 4/3 CSS pixels
    width = float(re.findall(r'viewBox="0 0 ([\d.]+)', text)[0]) * 4 / 3 * 1.25
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    return text.replace("<svg", f'<svg role="img" style="width:100%;max-width:{width:.0f}px;height:auto"', 1)

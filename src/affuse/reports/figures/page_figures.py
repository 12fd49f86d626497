"""The figures of results: forest plots, class distribution, confusion matrices, dots of speakers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from affuse.reports.figures.drawing import COLOURS, INK, MARKERS, as_svg, legend, new_figure, two_lines


def forest(rows: pd.DataFrame, chance: float | None, metric: str, name: str) -> str:
    """A row per cell: its value (dot), its interval (line) and, where known, the best possible value (bar).

    rows: columns label, group, value, low, high, ceiling, all numbers 0 to 1 or NaN
    chance: share of the commonest class, or None; ``name`` keeps its ids apart
    """
    figure, axes = new_figure(0.9 + 0.34 * len(rows))
    groups = list(dict.fromkeys(rows["group"]))
    places = np.arange(len(rows))[::-1]
    for place, row in zip(places, rows.to_dict("records"), strict=True):
        colour = COLOURS[groups.index(row["group"]) % len(COLOURS)]
        if not np.isnan(row["low"]):
            axes.plot([100 * row["low"], 100 * row["high"]], [place, place], color=colour, lw=2.2, alpha=0.6)
        axes.plot(100 * row["value"], place, "o", color=colour, ms=5.5)
        if not np.isnan(row["ceiling"]):
            axes.plot([100 * row["ceiling"]] * 2, [place - 0.42, place + 0.42], color=INK, lw=2)
    if chance is not None:
        axes.axvline(100 * chance, color=INK, lw=1, ls=":")
    axes.set_yticks(places, [two_lines(label) for label in rows["label"]])
    axes.set_xlabel(f"{metric}, percent")
    axes.grid(axis="x", color=INK, alpha=0.15, lw=0.6)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    return as_svg(figure, f"forest-{name}")


def class_distribution(counts: dict[str, int], name: str) -> str:
    """Labelled utterances per class, with their share (the first paper's Fig. 1)."""
    figure, axes = new_figure(0.7 + 0.36 * len(counts))
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
            color=INK,
        )
    axes.set_xlim(0, 1.22 * max(values))
    axes.set_xlabel("labelled utterances")
    return as_svg(figure, f"classes-{name}")


def confusion(matrix: np.ndarray, classes: Sequence[str], name: str) -> str:
    """Row-normalised confusion matrix in percent: (true class, called class); ``name`` keeps its ids apart."""
    longest = max(map(len, classes), default=0)  # inches for the letters beside the squares
    figure, axes = new_figure(0.8 + 0.62 * len(classes), width=0.9 + 0.8 * len(classes) + 0.08 * longest)
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
    return as_svg(figure, f"confusion-{name}")


def differences(rows: pd.DataFrame, name: str) -> str:
    """A line per comparison: difference in percentage points (dot) with its interval, about the line of no difference.

    rows: columns label, value, low, high (0 to 1 or NaN), shown (a verdict: filled dot where an effect is shown)
    """
    figure, axes = new_figure(0.8 + 0.34 * len(rows))
    places = np.arange(len(rows))[::-1]
    axes.axvline(0, color=INK, lw=1)
    for place, row in zip(places, rows.to_dict("records"), strict=True):
        colour = COLOURS[5 if row["shown"] else 0]
        if not np.isnan(row["low"]):
            axes.plot([100 * row["low"], 100 * row["high"]], [place, place], color=colour, lw=2.2, alpha=0.6)
        axes.plot(100 * row["value"], place, "D" if row["shown"] else "o", color=colour, ms=5.5)
    axes.set_yticks(places, [two_lines(label) for label in rows["label"]])
    axes.set_xlabel("difference in BACC (UA), points")
    axes.grid(axis="x", color=INK, alpha=0.15, lw=0.6)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    return as_svg(figure, f"differences-{name}")


def speaker_dots(rows: pd.DataFrame, groups: pd.Series, metric: str, name: str) -> str:
    """A line per row and on it a dot per speaker; the bar is the mean over speakers.

    rows: columns label, speaker, value (0 to 1); groups: speaker -> group, shown by colour and marker
    """
    labels = list(dict.fromkeys(rows["label"]))
    figure, axes = new_figure(1.1 + 0.36 * len(labels))
    kinds = sorted(groups.dropna().unique())
    drawn = {}
    for place, label in enumerate(reversed(labels)):
        of_row = rows[rows["label"] == label]
        mean = 100 * of_row["value"].mean()
        axes.plot([mean, mean], [place - 0.36, place + 0.36], color=INK, lw=2)
        for i, kind in enumerate([*kinds, None]):
            of_kind = of_row["speaker"].map(groups)
            values = of_row.loc[of_kind.isna() if kind is None else of_kind == kind, "value"]
            if len(values):
                # the groups a little apart, so that dots of equal value are seen
                height = place + (0.14 if i % 2 else -0.14) * (len(kinds) > 1)
                drawn[kind] = axes.plot(
                    100 * values, np.full(len(values), height), MARKERS[i], color=COLOURS[i % len(COLOURS)],
                    ms=5, alpha=0.75, mew=0, ls="",
                )[0]  # fmt: skip
    if kinds:
        shown = [kind for kind in drawn if kind is not None]
        legend(figure, [drawn[kind] for kind in shown], [str(kind) for kind in shown])
    axes.set_yticks(range(len(labels)), [two_lines(label) for label in reversed(labels)])
    axes.set_xlabel(f"{metric} of a speaker, percent")
    axes.grid(axis="x", color=INK, alpha=0.15, lw=0.6)
    axes.set_ylim(-0.7, len(labels) - 0.3)
    return as_svg(figure, f"speakers-{name}")

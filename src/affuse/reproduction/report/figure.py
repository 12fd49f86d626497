"""Every row of the paper's tables under each protocol, beside the published number."""

from __future__ import annotations

import numpy as np
import pandas as pd

from affuse.reports.figures.drawing import COLOURS, INK, MARKERS, as_svg, legend, new_figure, two_lines
from affuse.reproduction.definition import PROTOCOLS


def protocols_figure(frame: pd.DataFrame, metric: str, title: str) -> str:
    """An <svg>: a line per row, on it a mark per protocol with its interval, and a cross for the published number.

    frame: ``reproduction_rows``; metric: one in percent; title: of the axis.
    """
    rows = frame[frame["metric"] == metric]
    labels = list(dict.fromkeys(rows["row"]))
    protocols = [name for name in PROTOCOLS if name in set(rows["protocol"])]
    figure, axes = new_figure(1.2 + 0.46 * len(labels))
    drawn = {}
    for i, protocol in enumerate(protocols):
        of = rows[rows["protocol"] == protocol].set_index("row").reindex(labels)
        # the protocols a little apart, the first uppermost
        heights = np.arange(len(labels))[::-1] + 0.22 * ((len(protocols) - 1) / 2 - i)
        for height, low, high in zip(heights, of["low"], of["high"], strict=True):
            axes.plot([low, high], [height, height], color=COLOURS[i], lw=1.8, alpha=0.6)
        open_ = np.where(of["on_test"].fillna("") != "", "none", COLOURS[i])
        for height, value, face in zip(heights, of["value"], open_, strict=True):
            axes.plot(value, height, MARKERS[i], ms=5.5, mec=COLOURS[i], mfc=face)
        drawn[PROTOCOLS[protocol]] = axes.plot([], [], MARKERS[i], color=COLOURS[i], ls="")[0]
    printed = rows.groupby("row", sort=False)["published"].first().reindex(labels)
    if printed.notna().any():
        drawn["published"] = axes.plot(printed, np.arange(len(labels))[::-1], "x", color=INK, ms=7, mew=1.6)[
            0
        ]
    legend(figure, list(drawn.values()), list(drawn))
    axes.set_yticks(np.arange(len(labels))[::-1], [two_lines(label.replace(" / ", ", ")) for label in labels])
    axes.set_xlabel(f"{title}, percent")
    axes.grid(axis="x", color=INK, alpha=0.15, lw=0.6)
    axes.set_ylim(-0.7, len(labels) - 0.3)
    return as_svg(figure, f"protocols-{metric}")

"""Every row of the paper's tables under each protocol, beside the published number."""

from __future__ import annotations

import numpy as np
import pandas as pd

from affuse.reports.figures.drawing import COLOURS, INK, MARKERS, Drawing, as_svg, legend
from affuse.reports.figures.lanes import new_lanes
from affuse.reproduction.definition import PROTOCOLS


def protocols_figure(frame: pd.DataFrame, metric: str, title: str) -> Drawing:
    """A line per row, on it a symbol per protocol with its interval, and a cross for the published number.

    Args:
        frame: ``reproduction_rows``.
        metric: One in percent.
        title: Of the axis.
    """
    rows = frame[frame["metric"] == metric]
    labels = list(dict.fromkeys(rows["row"]))
    protocols = [name for name in PROTOCOLS if name in set(rows["protocol"])]

    def draw(narrow: bool) -> str:
        shown = [str(label).replace(" / ", ", ") for label in labels]
        figure, axes, places = new_lanes(shown, narrow, f"{title}, percent", 0.46, 1.2)
        drawn = {}
        for i, protocol in enumerate(protocols):
            of = rows[rows["protocol"] == protocol].set_index("row").reindex(labels)
            # the protocols a little apart, the first uppermost
            apart = 0.15 if narrow else 0.22
            heights = places + apart * ((len(protocols) - 1) / 2 - i)
            for height, low, high in zip(heights, of["low"], of["high"], strict=True):
                axes.plot([low, high], [height, height], color=COLOURS[i], lw=1.8, alpha=0.6)
            open_ = np.where(of["on_test"].fillna("") != "", "none", COLOURS[i])
            for height, value, face in zip(heights, of["value"], open_, strict=True):
                axes.plot(value, height, MARKERS[i], ms=5.5, mec=COLOURS[i], mfc=face)
            drawn[PROTOCOLS[protocol]] = axes.plot([], [], MARKERS[i], color=COLOURS[i], ls="")[0]
        printed = rows.groupby("row", sort=False)["published"].first().reindex(labels)
        if printed.notna().any():
            drawn["published"] = axes.plot(printed, places, "x", color=INK, ms=7, mew=1.6)[0]
        legend(figure, list(drawn.values()), list(drawn))
        return as_svg(figure, f"protocols-{metric}{'-narrow' if narrow else ''}")

    return Drawing(draw(False), draw(True))

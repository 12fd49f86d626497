"""One rating over time: its curve in steps, for a moment is one number, and the band around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from affuse.figures import cut_to

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from affuse.inference.timeline import Timeline, Value

HEIGHT = 1.15  # inches
_CURVE, _BAND, _GRID, _INK = "#0072B2", "#9CC4E4", "#DDDDDD", "#333333"
_POINTS = 8.0


class Step(NamedTuple):
    """A stretch of time with one rating."""

    start: float
    end: float
    value: Value


def steps(timeline: Timeline, task: str) -> list[list[Step]]:
    """The moments of each stretch without a pause; of a timeline that was told without moments, its segments."""
    found = timeline.moments or timeline.segments
    stretches: list[list[Step]] = []
    for one in found:
        step = Step(one.start, one.end, one.values[task])
        if stretches and step.start - stretches[-1][-1].end < 1e-3:
            stretches[-1].append(step)
        else:
            stretches.append([step])
    return stretches


def draw_values(axis: Axes, timeline: Timeline, task: str) -> None:
    """The axis reaches over the whole scale: a curve that hardly moves shall look so."""
    low, high = timeline.ranges[task]
    stretches = steps(timeline, task)
    axis.axhline((low + high) / 2, color=_GRID, linewidth=0.8, zorder=0)
    for stretch in stretches:
        edges = [stretch[0].start, *(step.end for step in stretch)]
        if task in timeline.coverage:
            _band(axis, edges, stretch)
        means = [step.value.mean for step in stretch]
        axis.plot(edges, [*means, means[-1]], drawstyle="steps-post", color=_CURVE, linewidth=1.5)
    if not stretches:
        middle = timeline.start + timeline.seconds / 2
        axis.text(
            middle,
            (low + high) / 2,
            "nobody speaks",
            ha="center",
            va="center",
            fontsize=_POINTS,
            color="#777777",
        )
    reach = 0.04 * (high - low)
    axis.set_ylim(low - reach, high + reach)
    axis.set_yticks([low, (low + high) / 2, high])
    axis.set_ylabel("rating", fontsize=_POINTS, color=_INK)
    axis.yaxis.set_label_coords(-0.038, 0.5)
    _legend(axis, timeline, task)


def _band(axis: Axes, edges: Sequence[float], stretch: Sequence[Step]) -> None:
    ends = np.array([(step.value.low, step.value.high) for step in stretch], float)
    lows, highs = np.vstack([ends, ends[-1]]).T
    axis.fill_between(edges, lows, highs, step="post", color=_BAND, alpha=0.6, linewidth=0)


def _legend(axis: Axes, timeline: Timeline, task: str) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Line2D | Patch] = [Line2D([], [], color=_CURVE, linewidth=1.5, label="rating")]
    if task in timeline.coverage:
        told = f"band of {100 * timeline.coverage[task]:g} %"
        handles.append(Patch(facecolor=_BAND, alpha=0.6, linewidth=0, label=told))
    legend = axis.legend(
        handles=handles, title=cut_to(task, 1.5, _POINTS), loc="upper left", bbox_to_anchor=(1.008, 1.03),
        frameon=False, fontsize=_POINTS, title_fontsize=8.5, alignment="left", borderaxespad=0, labelspacing=0.3,
        handlelength=1.4,
    )  # fmt: skip
    for text in (legend.get_title(), *legend.get_texts()):
        text.set_color(_INK)

"""One task over time: a ribbon of its labels, and the probabilities of all classes stacked below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from affuse.corpora.vocabulary import canonical
from affuse.figures import cut_to, text_inches

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from affuse.inference.timeline import Timeline

# Okabe and Ito's colours, which colour-blind eyes can tell apart; the usual classes keep theirs in every picture
_COLOURS = ("#D55E00", "#E69F00", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#F0E442", "#999999")
_USUAL = {
    "anger": 0, "happiness": 1, "sadness": 2, "disgust": 3, "fear": 4, "surprise": 5, "calm": 6, "neutral": 7,
    "female": 3, "male": 2,
}  # fmt: skip
_HATCHES = ("", "....", "xxxx", "++++")  # for the ninth class and so on, whose colours come again
_STACK, _PALE, _UNSURE = 0.8, 0.35, "////"
_RIBBON, _ABOVE = 0.24, 0.07  # inches: how high it is, and how far above the probabilities
_NAMED = 16  # classes in the legend
_LINE = 0.165  # inches of a line of the legend
_POINTS = 8.0
_INK = "#333333"


class Run(NamedTuple):
    """Segments without a pause between them, with the same label and sureness in one task."""

    start: float
    end: float
    label: str
    unsure: bool


def runs(timeline: Timeline, task: str) -> list[Run]:
    """The task's own segments: another task's change does not cut them."""
    found: list[Run] = []
    for segment in timeline.segments:
        answer = segment.answers[task]
        one = Run(segment.start, segment.end, answer.label, answer.unsure)
        if found and found[-1][2:] == one[2:] and one.start - found[-1].end < 1e-3:
            one = one._replace(start=found.pop().start)
        found.append(one)
    return found


def task_height(timeline: Timeline, task: str) -> float:
    """Inches, so that the legend has room."""
    return max(1.35, _LINE * (min(_NAMED, len(timeline.spaces[task])) + (4.2 if task == "gender" else 3.2)))


def draw_task(axis: Axes, timeline: Timeline, task: str, width: float) -> None:
    """The ribbon names a label where its name fits, and is pale where it is unsure; ``width``: of the axis, inches."""
    unit = task_height(timeline, task) - _RIBBON - _ABOVE  # inches of a probability of 1
    looks = looks_of(timeline.spaces[task])
    starts = [segment.start for segment in timeline.segments]
    lengths = [segment.end - segment.start for segment in timeline.segments]
    base = np.zeros(len(starts))
    for label, (colour, hatch) in looks.items():
        heights = np.array([segment.answers[task].probabilities[label] for segment in timeline.segments])
        _rectangles(axis, starts, lengths, base, heights, color=colour, alpha=_STACK, hatch=hatch)
        base = base + heights
    found = runs(timeline, task)
    ribbon = (1 + _ABOVE / unit, _RIBBON / unit)
    _ribbon(axis, found, looks, ribbon, width / max(timeline.seconds, 1e-6))
    if not found:
        middle = timeline.start + timeline.seconds / 2
        axis.text(middle, 0.5, "nobody speaks", ha="center", va="center", fontsize=_POINTS, color="#777777")
    axis.set_ylim(0, sum(ribbon))
    axis.set_yticks([0, 0.5, 1])
    axis.set_ylabel("probability", fontsize=_POINTS, color=_INK)
    axis.yaxis.set_label_coords(-0.038, 0.4)
    _legend(axis, timeline, task, looks, any(one.unsure for one in found))


def _rectangles(
    axis: Axes,
    starts: Sequence[float],
    lengths: Sequence[float],
    bottoms: np.ndarray,
    heights: np.ndarray,
    *,
    color: str,
    alpha: float,
    hatch: str,
) -> None:
    """All of one look as one object: an hour has thousands."""
    from matplotlib.collections import PolyCollection

    left, bottom = np.array(starts, float), np.asarray(bottoms, float)
    right, top = left + np.array(lengths, float), bottom + heights
    corners = np.stack([left, bottom, left, top, right, top, right, bottom], axis=1).reshape(-1, 4, 2)
    axis.add_collection(
        PolyCollection(
            list(corners),
            facecolor=color,
            alpha=alpha,
            hatch=hatch,
            edgecolor="white",
            linewidth=0,
            antialiased=False,
        ),
        autolim=False,
    )


def _ribbon(
    axis: Axes,
    found: Sequence[Run],
    looks: dict[str, tuple[str, str]],
    ribbon: tuple[float, float],
    a_second: float,
) -> None:
    """``ribbon``: its bottom and height on the axis; ``a_second``: inches."""
    bottom, height = ribbon
    names: dict[str, float] = {}
    for label, unsure in dict.fromkeys((one.label, one.unsure) for one in found):
        some = [one for one in found if (one.label, one.unsure) == (label, unsure)]
        colour, hatch = looks[label]
        _rectangles(
            axis, [one.start for one in some], [one.end - one.start for one in some], np.full(len(some), bottom),
            np.full(len(some), height), color=colour, alpha=_PALE if unsure else 1.0,
            hatch=_UNSURE if unsure else hatch,
        )  # fmt: skip
    for one in found:
        colour, _ = looks[one.label]
        text = f"{one.label}{'?' if one.unsure else ''}"
        if text not in names:
            names[text] = text_inches(text, _POINTS)
        if names[text] + 0.06 <= (one.end - one.start) * a_second:
            ink = _INK if one.unsure or _is_light(colour) else "white"
            axis.text(
                (one.start + one.end) / 2, bottom + height / 2, text, ha="center", va="center_baseline",
                fontsize=_POINTS, color=ink,
            )  # fmt: skip


def _legend(
    axis: Axes, timeline: Timeline, task: str, looks: dict[str, tuple[str, str]], unsure: bool
) -> None:
    from matplotlib.patches import Patch

    labels = list(looks)
    if len(labels) > _NAMED:  # those that matter in this clip
        weight = {
            label: sum(
                (one.end - one.start) * one.answers[task].probabilities[label] for one in timeline.segments
            )
            for label in labels
        }
        most = sorted(labels, key=lambda label: -weight[label])[: _NAMED - 1]
        labels = [label for label in labels if label in most]
    handles = [  # from the top, as they are stacked
        Patch(
            facecolor=looks[label][0],
            hatch=looks[label][1],
            edgecolor="white",
            linewidth=0,
            label=_short(label),
        )
        for label in reversed(labels)
    ]
    if len(looks) > len(labels):
        handles.append(Patch(facecolor="none", label=f"and {len(looks) - len(labels)} more"))
    if unsure:
        handles.append(
            Patch(
                facecolor="#777777",
                alpha=_PALE,
                hatch=_UNSURE,
                edgecolor="white",
                linewidth=0,
                label="pale, ?: unsure",
            )
        )
    title = "gender\n(the corpus's annotation)" if task == "gender" else _short(task)
    legend = axis.legend(
        handles=handles, title=title, loc="upper left", bbox_to_anchor=(1.008, 1.03), frameon=False,
        fontsize=_POINTS, title_fontsize=8.5, alignment="left", borderaxespad=0, labelspacing=0.3, handlelength=1.4,
    )  # fmt: skip
    for text in (legend.get_title(), *legend.get_texts()):
        text.set_color(_INK)


def _short(name: str) -> str:
    return cut_to(name, 1.5, _POINTS)


def looks_of(space: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Class -> colour and hatch; the usual classes have their own colour, others what is left."""
    chosen: dict[str, int] = {}
    for label in space:
        number = _USUAL.get(canonical(label) or canonical(label, "gender") or "")
        if number is not None and number not in chosen.values():
            chosen[label] = number
    free = [number for number in range(len(_COLOURS) * len(_HATCHES)) if number not in chosen.values()]
    for label in space:
        if label not in chosen:
            chosen[label] = free.pop(0) if free else 0
    looks = {label: divmod(chosen[label], len(_COLOURS)) for label in space}
    return {label: (_COLOURS[colour], _HATCHES[again]) for label, (again, colour) in looks.items()}


def _is_light(colour: str) -> bool:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue > 140

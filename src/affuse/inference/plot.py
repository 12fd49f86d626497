"""A timeline as a picture: faces, sound, words, and each task: labels and probabilities, or ratings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from affuse.errors import AffuseError
from affuse.figures import cut_to, literal, save_literally
from affuse.files import replacing
from affuse.inference.plot_task import draw_task, task_height
from affuse.inference.plot_values import HEIGHT, draw_values
from affuse.inference.sound_scan import PEAK_SECONDS
from affuse.inference.writers.base import say_answer, say_value
from affuse.inference.writers.suffixes import PICTURES
from affuse.names import counted
from affuse.parts.registry import unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from affuse.inference.timeline import Timeline

# inches
_LEFT, _WIDTH, _RIGHT = 0.75, 9.4, 1.95  # names of the rows, the time axis, legends
_TOP, _BOTTOM, _BETWEEN = 0.62, 0.5, 0.1
_FACE = 0.6
_SMALL = 7.5  # points, of words
_INK, _GREY = "#333333", "#777777"
_LINES, _LINE = 3, 0.18  # of words, and how high one is
_LEAST = 0.06  # inches, of a letter
_SHOWN = 0.25  # share of the segments' words below which showing some would mislead
_STEPS = (
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    18000,
    36000,
    86400,
)


@dataclass
class _Row:
    """One axis of the picture: how high it is, in inches, and what draws it."""

    name: str
    height: float
    draw: Callable[[Axes], None]


def plot_timeline(timeline: Timeline, path: str | Path | None, tasks: Sequence[str]) -> Figure:
    """Rows from the top: faces, sound and words (where there are any), then each task.

    Args:
        timeline: What is drawn.
        path: Where the picture is written; None only draws.
        tasks: Those that are drawn.

    Raises:
        AffuseError: There is no such task, or no such kind of picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    for task in tasks:
        if task not in timeline.tasks:
            raise AffuseError(f"{unknown(task, timeline.tasks, 'tasks of this timeline')}.")
    kind = _kind(path)
    rows = _rows(timeline, tasks)
    height = _TOP + sum(row.height + _BETWEEN for row in rows) + _BOTTOM
    width = _LEFT + _WIDTH + _RIGHT
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    top = height - _TOP
    below: Axes | None = None
    for row in rows:
        top -= row.height
        axis = figure.add_axes(
            (_LEFT / width, top / height, _WIDTH / width, row.height / height), sharex=below
        )
        top -= _BETWEEN
        below = axis
        row.draw(axis)
        last = row is rows[-1]
        for edge in ("top", "right", "left", *([] if last else ["bottom"])):
            axis.spines[edge].set_visible(False)
        axis.tick_params(bottom=last, labelbottom=last, labelsize=8, colors=_INK)
        if last:
            _time_axis(axis, timeline)
    _title(figure, timeline, width, height)
    if path is not None:
        with replacing(path) as temporary:
            save_literally(figure, temporary, format=kind, dpi=130)
    return literal(figure)


def _kind(path: str | Path | None) -> str:
    kind = "png" if path is None else Path(path).suffix[1:].lower() or "png"
    if kind not in PICTURES:
        raise AffuseError(f"{path}: a picture is no .{kind} file; give png, svg or pdf.")
    return kind


def _rows(timeline: Timeline, tasks: Sequence[str]) -> list[_Row]:
    rows: list[_Row] = []
    if timeline.pictures:
        rows.append(_Row("faces", _FACE + 0.15, lambda axis: _faces(axis, timeline)))
    if len(timeline.peaks):
        rows.append(_Row("sound", 0.7, lambda axis: _sound(axis, timeline)))
    if any(segment.text for segment in timeline.segments):
        placed, lines = _placed_words(timeline)
        rows.append(_Row("words", _LINE * max(lines, 1), lambda axis: _words(axis, timeline, placed, lines)))
    for task in tasks:
        if task in timeline.ranges:
            rows.append(_Row(task, HEIGHT, lambda axis, task=task: draw_values(axis, timeline, task)))
            continue
        rows.append(
            _Row(
                task,
                task_height(timeline, task),
                lambda axis, task=task: draw_task(axis, timeline, task, _WIDTH),
            )
        )
    return rows


def _title(figure: Figure, timeline: Timeline, width: float, height: float) -> None:
    """The clip's name, and below it the clip as a whole."""
    name = cut_to(Path(timeline.clip).name, _WIDTH + 0.5, 11, middle=True)
    figure.text(_LEFT / width, 1 - 0.24 / height, name, fontsize=11, color=_INK, va="center")
    answers = [f"{task} {say_answer(answer)}" for task, answer in timeline.summary.items()]
    answers += [say_value(task, value, timeline.ranges[task]) for task, value in timeline.values.items()]
    length = f"{timeline.seconds:.1f} s" if timeline.seconds < 120 else _clock(timeline.seconds)
    whole = f"{length}, {counted(len(timeline.segments), 'segment')}"
    text = f"{whole}. Whole clip: {', '.join(answers)}" if answers else whole
    figure.text(
        _LEFT / width,
        1 - 0.45 / height,
        cut_to(text, _WIDTH + _RIGHT, 8),
        fontsize=8,
        color=_GREY,
        va="center",
    )


def _time_axis(axis: Axes, timeline: Timeline) -> None:
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    end = timeline.start + timeline.seconds
    axis.set_xlim(timeline.start, max(end, timeline.start + 1e-3))
    step = next((step for step in _STEPS if timeline.seconds / step <= 12), timeline.seconds / 10)
    axis.xaxis.set_major_locator(MultipleLocator(step))
    if end < 120:
        axis.set_xlabel("time (seconds)", fontsize=8.5, color=_INK)
        return
    hours = end >= 3600
    axis.xaxis.set_major_formatter(FuncFormatter(lambda seconds, position: _clock(seconds, hours)))
    unit = "hours:minutes:seconds" if hours else "minutes:seconds"
    axis.set_xlabel(f"time ({unit})", fontsize=8.5, color=_INK)


def _clock(seconds: float, hours: bool = False) -> str:
    """'12:05' or '1:02:03', the latter from an hour on, and where ``hours`` says so."""
    minutes, rest = divmod(round(seconds), 60)
    if hours or minutes >= 60:
        return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
    return f"{minutes}:{rest:02}"


def _named(axis: Axes, name: str) -> None:
    axis.set_yticks([])
    axis.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8.5, color=_INK)


def _faces(axis: Axes, timeline: Timeline) -> None:
    """As many as fit side by side, each over its own time where it can be."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    count = min(int(_WIDTH / (_FACE + 0.06)), len(timeline.pictures))
    chosen = [
        timeline.pictures[i] for i in np.linspace(0, len(timeline.pictures) - 1, count).round().astype(int)
    ]
    width = timeline.seconds * (_FACE + 0.04) / _WIDTH  # seconds that a face takes on the axis
    first, last = timeline.start + width / 2, timeline.start + timeline.seconds - width / 2
    places = np.array([picture.time for picture in chosen])
    places[0] = max(places[0], first)
    for i in range(1, count):  # pushed apart to the right, then back from the edge
        places[i] = max(places[i], places[i - 1] + width)
    places[-1] = min(places[-1], last)
    for i in range(count - 2, -1, -1):
        places[i] = min(places[i], places[i + 1] - width)
    share = _FACE / (_FACE + 0.15)
    for place, picture in zip(places, chosen, strict=True):
        image = OffsetImage(picture.pixels, zoom=72 * _FACE / picture.pixels.shape[0])
        axis.add_artist(AnnotationBbox(image, (place, 1 - share / 2), frameon=False, pad=0))
        axis.plot([place, picture.time], [1 - share, 0.0], color=_GREY, linewidth=0.6)
    axis.set_ylim(0, 1)
    _named(axis, "faces")


def _sound(axis: Axes, timeline: Timeline) -> None:
    """The loudest sample of every stretch, of the loudest one of the clip."""
    peaks = timeline.peaks / max(1e-6, float(timeline.peaks.max()))
    size = max(1, len(peaks) // 2000)  # no more bars than pixels
    peaks = np.pad(peaks, (0, -len(peaks) % size)).reshape(-1, size).max(axis=1)
    time = timeline.start + (np.arange(len(peaks)) + 0.5) * PEAK_SECONDS * size
    axis.fill_between(time, -peaks, peaks, color="#8899AA", linewidth=0)
    axis.axhline(0, color="#8899AA", linewidth=0.5)
    axis.set_ylim(-1.05, 1.05)
    _named(axis, "sound")


class _Placed(NamedTuple):
    """Words that are drawn from ``start`` seconds on in ``line``, from 0 at the top."""

    start: float
    line: int
    text: str


def _placed_words(timeline: Timeline) -> tuple[list[_Placed], int]:
    """Each segment's words from its beginning on, in as few lines as hold them, and how many lines that is.

    Where three do not, they are cut where the next ones in their line begin. Where most of them have no room at all,
    none are shown: a few would pass for all.
    """
    a_second = _WIDTH / max(timeline.seconds, 1e-6)  # inches
    end = timeline.start + timeline.seconds
    spoken = [segment for segment in timeline.segments if segment.text]
    placed, lines = list[_Placed](), 1
    for lines in range(1, _LINES + 1):
        placed, last = [], lines == _LINES
        for i, segment in enumerate(spoken):
            following = spoken[i + lines].start if i + lines < len(spoken) else end
            room = (following - segment.start) * a_second - 0.08
            text = cut_to(segment.text, room, _SMALL) if room > _LEAST else ""
            if text != segment.text and not last:
                break
            if len(text) >= min(6, len(segment.text)):
                placed.append(_Placed(segment.start, i % lines, text))
        else:
            break
    return (placed, lines) if len(placed) >= _SHOWN * len(spoken) else ([], 0)


def _words(axis: Axes, timeline: Timeline, placed: Sequence[_Placed], lines: int) -> None:
    axis.set_ylim(-0.5, max(lines, 1) - 0.5)
    for start, line, text in placed:
        axis.text(start, lines - 1 - line, text, fontsize=_SMALL, color=_INK, va="center")
    if not placed:
        text = f"{counted(len(timeline.words), 'word')}, too many to show here"
        axis.text(timeline.start, 0, text, fontsize=_SMALL, color=_GREY, va="center")
    _named(axis, "words")

"""A timeline as a picture: faces, waveform, words, and the probabilities of one task over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from affuse.errors import AffuseError
from affuse.figures import literal, save_literally
from affuse.files import replacing
from affuse.inference.sound_scan import PEAK_SECONDS
from affuse.registry import unknown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from affuse.inference.timeline import Timeline

# Okabe and Ito's colours, told apart by colour-blind eyes
_COLOURS = ("#D55E00", "#E69F00", "#0072B2", "#999999", "#009E73", "#CC79A7", "#56B4E9", "#F0E442")
_FACES = 14
_WIDTH = 11.0  # inches
_INK = "#333333"


def plot_timeline(timeline: Timeline, path: str | Path | None, task: str) -> Figure:
    """Rows from the top: faces (if any), waveform, words (if any), the task's probability bands with its labels."""
    from matplotlib.figure import Figure

    if task not in timeline.spaces:
        raise AffuseError(f"{unknown(task, list(timeline.spaces), 'tasks of this timeline')}.")
    rows = {"faces": 1.0, "sound": 1.2, "words": 0.9, "answers": 2.4}
    if not timeline.pictures:
        del rows["faces"]
    if not len(timeline.peaks):
        del rows["sound"]
    if not timeline.words:
        del rows["words"]
    figure = Figure(figsize=(_WIDTH, 0.9 + sum(rows.values())), layout="constrained")
    axes = figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=list(rows.values()))[:, 0]
    drawers = {"faces": _faces, "sound": _sound, "words": _words}
    for name, axis in zip(rows, axes, strict=True):
        for edge in ("top", "right", "left", *(["bottom"] if name != "answers" else [])):
            axis.spines[edge].set_visible(False)
        axis.tick_params(bottom=name == "answers")
        if name == "answers":
            _answers(axis, timeline, task)
        else:
            axis.set_yticks([])
            drawers[name](axis, timeline)
    axes[0].set_title(Path(timeline.clip).name, loc="left", color=_INK)
    axes[-1].set_xlim(timeline.start, timeline.start + timeline.seconds)
    axes[-1].set_xlabel("seconds")
    if path is not None:
        kind = Path(path).suffix[1:].lower() or "png"
        if kind not in figure.canvas.get_supported_filetypes():
            raise AffuseError(f"{path}: a picture is no .{kind} file; give png, svg or pdf.")
        with replacing(path) as temporary:
            save_literally(figure, temporary, format=kind, dpi=130)
    return literal(figure)


def _faces(axis: Any, timeline: Timeline) -> None:
    """As many as fit side by side, each over its own time where it can be."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    count = min(_FACES, len(timeline.pictures))
    chosen = [
        timeline.pictures[i] for i in np.linspace(0, len(timeline.pictures) - 1, count).round().astype(int)
    ]
    width = timeline.seconds / (_FACES + 1)
    places = np.array([picture.time for picture in chosen])
    for i in range(1, count):  # pushed apart to the right, then back from the edge
        places[i] = max(places[i], places[i - 1] + width)
    places[-1] = min(places[-1], timeline.start + timeline.seconds - width / 2)
    for i in range(count - 2, -1, -1):
        places[i] = min(places[i], places[i + 1] - width)
    for place, picture in zip(places, chosen, strict=True):
        image = OffsetImage(picture.pixels, zoom=44 / picture.pixels.shape[0])
        axis.add_artist(AnnotationBbox(image, (place, 0.55), frameon=False, pad=0))
        axis.plot([place, picture.time], [0.14, 0.0], color=_INK, linewidth=0.6)
    axis.set_ylim(0, 1)


def _sound(axis: Any, timeline: Timeline) -> None:
    peaks = timeline.peaks / max(1e-6, float(timeline.peaks.max()))
    size = max(1, len(peaks) // 2000)  # no more bars than pixels
    peaks = np.pad(peaks, (0, -len(peaks) % size)).reshape(-1, size).max(axis=1)
    time = timeline.start + (np.arange(len(peaks)) + 0.5) * PEAK_SECONDS * size
    axis.fill_between(time, -peaks, peaks, color="#8899AA", linewidth=0)
    axis.set_ylabel("sound", rotation=0, ha="right", va="center", color=_INK)


def _words(axis: Any, timeline: Timeline) -> None:
    """Each segment's words under each other where they would overlap; cut to what its width can hold."""
    letters = timeline.seconds / (_WIDTH * 15)  # seconds that a letter takes on the axis
    free = [0.0, 0.0, 0.0]
    for segment in timeline.segments:
        if not segment.text:
            continue
        row = min(
            range(len(free)),
            key=lambda i: (free[i] > segment.start, i if free[i] <= segment.start else free[i]),
        )
        if free[row] > segment.start:
            continue
        room = int((segment.end - segment.start) / letters * 1.6)
        room = min(max(12, room), int((timeline.start + timeline.seconds - segment.start) / letters))
        if room < 4:
            continue
        text = segment.text if len(segment.text) <= room else segment.text[: room - 1].rstrip() + "…"
        axis.text(segment.start, 2 - row, text, fontsize=7.5, color=_INK, va="center", clip_on=True)
        free[row] = segment.start + len(text) * letters * 1.05
    axis.set_ylim(-0.7, 2.7)
    axis.set_ylabel("words", rotation=0, ha="right", va="center", color=_INK)


def _answers(axis: Any, timeline: Timeline, task: str) -> None:
    """Probabilities stacked to 1 over every segment; its label above where it fits, paler where unsure."""
    space = timeline.spaces[task]
    colours = {label: _COLOURS[i % len(_COLOURS)] for i, label in enumerate(space)}
    for segment in timeline.segments:
        answer = segment.answers[task]
        width, base = segment.end - segment.start, 0.0
        for label in (answer.label, *(other for other in space if other != answer.label)):
            height = answer.probabilities[label]
            faint = 0.35 if answer.unsure else 1.0
            axis.bar(
                segment.start, height, width, base, align="edge", linewidth=0,
                color=colours[label], alpha=faint if label == answer.label else 0.3 * faint,
            )  # fmt: skip
            base += height
        if width > timeline.seconds / 40:
            text = f"{answer.label}{'?' if answer.unsure else ''}"
            axis.text(segment.start + width / 2, 1.03, text, ha="center", fontsize=7.5, color=_INK)
    handles = [axis.bar(0, 0, color=colour, label=label) for label, colour in colours.items()]
    axis.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.005, 1), frameon=False, fontsize=8)
    axis.set_ylim(0, 1.12)
    axis.set_yticks([0, 0.5, 1])
    axis.set_ylabel(f"{task}, probability", color=_INK)

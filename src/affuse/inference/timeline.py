"""What a model says about one clip: segments over time, and the clip as a whole."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from affuse.arguments import checked
from affuse.errors import AffuseError
from affuse.files import write_text
from affuse.files.names import shown, written
from affuse.inference.words import Word
from affuse.names import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Answer(NamedTuple):
    """What the model says of one task.

    Attributes:
        label: The most probable class.
        confidence: The label's probability, calibrated, from 0 to 1.
        unsure: Whether it is below the threshold.
        probabilities: Class -> probability; they sum to 1 but for rounding.
    """

    label: str
    confidence: float
    unsure: bool
    probabilities: dict[str, float]


class Segment(NamedTuple):
    """Neighbouring moments whose answers are the same.

    Attributes:
        start: Seconds of the clip.
        end: Seconds of the clip.
        answers: Task -> answer.
        modalities: Those that some window of the segment had.
        text: The words said in it, "" where none are known.
    """

    start: float
    end: float
    answers: dict[str, Answer]
    modalities: tuple[str, ...]
    text: str

    def to_dict(self) -> dict[str, Any]:
        """What the JSON file holds of it."""
        return {
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            **{task: answer._asdict() for task, answer in self.answers.items()},
            "modalities": list(self.modalities),
            "text": self.text,
        }


class CurvePoint(NamedTuple):
    """What the model says of a stretch that the same windows cover.

    Attributes:
        start: Seconds of the clip.
        end: Seconds of the clip.
        probabilities: Task -> class -> probability, the mean over those windows.
    """

    start: float
    end: float
    probabilities: dict[str, dict[str, float]]


class Picture(NamedTuple):
    """A face for the plot: (size, size, 3) uint8 RGB, at ``time`` seconds of the clip."""

    time: float
    pixels: np.ndarray


@dataclass(repr=False)
class Timeline:
    """Emotion (and the model's other tasks) over time, in one clip. It prints as one line; a notebook shows a picture.

    Attributes:
        clip: The file, or "array" for samples in memory.
        seconds: How long the clip is.
        segments: In order; where nobody speaks there is none.
        summary: Task -> the clip's own answer, from probabilities averaged over the segments' seconds; empty where
            there is no segment.
        spaces: Task -> its classes.
        window: Seconds of a window.
        hop: Seconds from window to window.
        words: With their times, where words are known.
        faults: What of the clip could not be used, and why, in sentences.
        warning: What should be known of the model, whatever the clip.
        start: Where ``seconds`` begin, if a range of the file was predicted; all times count from the file's beginning.
        peaks: The loudest sample of each 1/20 s, for ``plot``.
        pictures: Some faces, for ``plot``.
        left_out: Task -> classes of the model that were not asked for: ``spaces`` is without them.
        moments: What the model said of every stretch between two edges of windows, before segments are made of it.

    Examples:
        >>> sure = Answer("anger", 0.9, False, {"anger": 0.9, "neutral": 0.1})
        >>> segment = Segment(0.5, 2.0, {"emotion": sure}, ("audio",), "")
        >>> timeline = Timeline("talk.wav", 2.5, [segment], {"emotion": sure}, {"emotion": ["anger", "neutral"]}, 2, 1)
        >>> timeline
        Timeline('talk.wav': 2.5 s, 1 segment, emotion: anger 0.90)
        >>> timeline.to_frame()[["start", "end", "emotion", "emotion_confidence"]]
           start  end emotion  emotion_confidence
        0    0.5  2.0   anger                 0.9
    """

    clip: str
    seconds: float
    segments: list[Segment]
    summary: dict[str, Answer]
    spaces: dict[str, list[str]]
    window: float
    hop: float
    words: list[Word] = field(default_factory=list[Word])
    faults: list[str] = field(default_factory=list[str])
    warning: str = ""
    start: float = 0.0
    peaks: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    pictures: list[Picture] = field(default_factory=list[Picture])
    left_out: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    moments: list[CurvePoint] = field(default_factory=list[CurvePoint])

    def __repr__(self) -> str:
        answers = [
            f"{shown(task)}: {shown(answer.label)}{'?' if answer.unsure else ''} {answer.confidence:.2f}"
            for task, answer in self.summary.items()
        ]
        found = ", ".join([f"{self.seconds:.1f} s", counted(len(self.segments), "segment"), *answers])
        return f"Timeline({shown(self.clip)!r}: {found})"

    def _repr_html_(self) -> str:
        """The picture and the first segments, for notebooks."""
        from affuse.inference.notebook import timeline_html

        return timeline_html(self)

    def to_frame(self) -> pd.DataFrame:
        """A row per segment.

        Columns: ``start`` and ``end`` in seconds; for each task ``<task>``, ``<task>_confidence``, ``<task>_unsure``
        and ``<task>_p_<class>`` for each class; ``modalities`` (joined by +) and ``text``.
        """
        columns = ["start", "end"]
        for task, space in self.spaces.items():
            columns += [task, f"{task}_confidence", f"{task}_unsure", *(f"{task}_p_{name}" for name in space)]
        rows: list[dict[str, Any]] = []
        for segment in self.segments:
            row: dict[str, Any] = {"start": segment.start, "end": segment.end}
            for task, answer in segment.answers.items():
                row |= {
                    task: answer.label,
                    f"{task}_confidence": answer.confidence,
                    f"{task}_unsure": answer.unsure,
                }
                row |= {f"{task}_p_{name}": value for name, value in answer.probabilities.items()}
            rows.append(row | {"modalities": "+".join(segment.modalities), "text": segment.text})
        return pd.DataFrame(rows, columns=[*columns, "modalities", "text"])

    def to_dict(self) -> dict[str, Any]:
        """What the JSON file holds."""
        return {
            "clip": written(self.clip),
            "start": round(self.start, 3),
            "seconds": round(self.seconds, 3),
            "window": self.window,
            "hop": self.hop,
            "labels": self.spaces,
            "left_out": self.left_out,
            "summary": {task: answer._asdict() for task, answer in self.summary.items()},
            "segments": [one.to_dict() for one in self.segments],
            "faults": self.faults,
            "warning": self.warning,
        }

    @checked
    def save(self, path: str | Path) -> Path:
        """Write a file, whole or not at all; its ending chooses the format.

        Args:
            path: .json, .csv, .srt, .vtt, .txt (Audacity's labels), or a picture: .png, .svg, .pdf. A file of that name
                is replaced, unless it is the clip itself.

        Returns:
            The path.

        Raises:
            AffuseError: Another ending, the clip's own name, or a folder that cannot be written.
        """
        from affuse.files.outputs import unwritable
        from affuse.inference.writers import PICTURES, WRITERS, format_of

        path = Path(path)
        kind = format_of(path)
        if path.exists() and os.path.exists(self.clip) and path.samefile(self.clip):
            raise AffuseError(f"{path} is the clip itself, and saving would replace it; choose another name.")
        try:
            if kind in PICTURES:
                self.plot(path)
            else:
                write_text(path, WRITERS[kind]().text(self))
        except OSError as error:
            raise unwritable(path, error) from None
        return path

    @checked
    def plot(self, path: str | Path | None = None, task: str | None = None) -> Figure:
        """Draw faces, sound, words, and the probabilities of every task over time.

        Args:
            path: Where the picture is written (png, svg, pdf); None only draws.
            task: One task alone; None draws all of them.

        Raises:
            AffuseError: There is no such task, or no such kind of picture.
        """
        from affuse.inference.plot import plot_timeline

        return plot_timeline(self, path, list(self.spaces) if task is None else [task])

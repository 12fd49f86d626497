"""What a model says about one clip: segments and ratings over time, and the clip as a whole."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from affuse.arguments import checked
from affuse.errors import AffuseError
from affuse.files import write_text
from affuse.files.names import shown, written
from affuse.inference.answers import Answer, CurvePoint, Picture, Segment, Value
from affuse.inference.timeline_tables import moment_table, segment_table
from affuse.inference.words import Word
from affuse.names import counted
from affuse.recipe.dimension import Dimension

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Answer", "CurvePoint", "Picture", "Segment", "Timeline", "Value"]


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
        values: Regression -> the clip's own rating, as ``summary``.
        ranges: Regression -> its scale, from the lowest to the highest rating.
        coverage: Regression -> the share of ratings of validation utterances that its band holds, 0 to 1; a task
            without a band is not named.
        cue_values: Whether subtitles and labels name ratings too.

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
    values: dict[str, Value] = field(default_factory=dict[str, Value])
    ranges: dict[str, Dimension] = field(default_factory=dict[str, Dimension])
    coverage: dict[str, float] = field(default_factory=dict[str, float])
    cue_values: bool = False

    def __repr__(self) -> str:
        answers = [
            f"{shown(task)}: {shown(answer.label)}{'?' if answer.unsure else ''} {answer.confidence:.2f}"
            for task, answer in self.summary.items()
        ]
        answers += [
            f"{shown(task)}: {self.ranges[task].shown(one.mean)}" for task, one in self.values.items()
        ]
        found = ", ".join([f"{self.seconds:.1f} s", counted(len(self.segments), "segment"), *answers])
        return f"Timeline({shown(self.clip)!r}: {found})"

    @property
    def tasks(self) -> list[str]:
        """Those that are told: with classes, then ratings."""
        return [*self.spaces, *self.ranges]

    def _repr_html_(self) -> str:
        """The picture and the first segments, for notebooks."""
        from affuse.inference.notebook import timeline_html

        return timeline_html(self)

    def to_frame(self) -> pd.DataFrame:
        """A row per segment.

        Columns: ``start`` and ``end`` in seconds; for each task ``<task>``, ``<task>_confidence``, ``<task>_unsure``
        and ``<task>_p_<class>`` for each class; of a regression ``<task>``, ``<task>_low`` and ``<task>_high``, blank
        where there is no band; ``modalities`` (joined by +) and ``text``.
        """
        return segment_table(self.segments, self.spaces, self.ranges)

    def curve(self) -> pd.DataFrame:
        """A row per moment: how answers change within segments.

        Columns: ``start`` and ``end`` in seconds; ``<task>_p_<class>`` for each class of each task; of a regression
        ``<task>``, ``<task>_low`` and ``<task>_high``.

        Examples:
            >>> moment = CurvePoint(0.5, 1.0, {}, {"valence": Value(3.4, 2.6, 4.2)})
            >>> timeline = Timeline("x.wav", 2, [], {}, {}, 2, 1, moments=[moment], ranges={"valence": Dimension(1, 5)})
            >>> timeline.curve()
               start  end  valence  valence_low  valence_high
            0    0.5  1.0      3.4          2.6           4.2
        """
        return moment_table(self.moments, self.spaces, self.ranges)

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
            "summary": {task: told._asdict() for task, told in {**self.summary, **self.values}.items()},
            "segments": [one.to_dict() for one in self.segments],
            **({} if not self.ranges else self._ratings()),
            "faults": self.faults,
            "warning": self.warning,
        }

    def _ratings(self) -> dict[str, Any]:
        """What is told of ratings beside segments."""
        return {
            "ranges": {task: list(scale) for task, scale in self.ranges.items()},
            "coverage": {task: self.coverage.get(task) for task in self.ranges},
            "curves": {
                task: [
                    {"start": round(one.start, 3), "end": round(one.end, 3), **one.values[task]._asdict()}
                    for one in self.moments
                ]
                for task in self.ranges
            },
        }

    @checked
    def save(self, path: str | Path) -> Path:
        """Write a file, whole or not at all; its ending chooses the format.

        Args:
            path: .json, .csv (segments), .curve.csv (moments), .srt, .vtt, .txt (Audacity's labels), or a picture:
                .png, .svg, .pdf. A file of that name is replaced, unless it is the clip itself.

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
        """Draw faces, sound, words, and the probabilities or rating of every task over time.

        Args:
            path: Where the picture is written (png, svg, pdf); None only draws.
            task: One task alone; None draws all of them.

        Raises:
            AffuseError: There is no such task, or no such kind of picture.
        """
        from affuse.inference.plot import plot_timeline

        return plot_timeline(self, path, self.tasks if task is None else [task])

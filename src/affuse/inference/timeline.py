"""What a model says about one clip: segments over time, and the clip as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from affuse.files.names import written
from affuse.inference.words import Word

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Answer(NamedTuple):
    """Of one task. ``confidence`` is the label's probability, calibrated; ``unsure``: it is below the threshold."""

    label: str
    confidence: float
    unsure: bool
    probabilities: dict[str, float]


class Segment(NamedTuple):
    """Neighbouring moments whose answers are the same. Seconds of the clip."""

    start: float
    end: float
    answers: dict[str, Answer]  # task -> answer
    modalities: tuple[str, ...]  # that some window of the segment had
    text: str  # words said in it, "" where none are known


class Picture(NamedTuple):
    """A face for the plot: (size, size, 3) uint8 RGB."""

    time: float
    pixels: np.ndarray


@dataclass
class Timeline:
    """``segments`` in order; where nobody speaks there is none. ``summary``: task -> the clip's own answer, from
    probabilities averaged over the segments' seconds; empty where there is no segment."""

    clip: str
    seconds: float
    segments: list[Segment]
    summary: dict[str, Answer]
    spaces: dict[str, list[str]]
    window: float
    hop: float
    words: list[Word] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)  # what of the clip could not be used, and why
    warning: str = ""  # about the model, whatever the clip
    start: float = (
        0.0  # where ``seconds`` begin, if a range of the file was predicted; all times count from the file's
    )
    # for plot(): the loudest sample of each 1/20 s, and some faces
    peaks: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32), repr=False)
    pictures: list[Picture] = field(default_factory=list, repr=False)

    def to_frame(self) -> pd.DataFrame:
        """A row per segment: start, end; per task <task>, <task>_confidence, <task>_unsure, <task>_p_<class>;
        modalities (joined by +), text."""
        columns = ["start", "end"]
        for task, space in self.spaces.items():
            columns += [task, f"{task}_confidence", f"{task}_unsure", *(f"{task}_p_{name}" for name in space)]
        rows = []
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
        """What the format json holds."""
        return {
            "clip": written(self.clip),
            "start": round(self.start, 3),
            "seconds": round(self.seconds, 3),
            "window": self.window,
            "hop": self.hop,
            "labels": self.spaces,
            "summary": {task: _plain(answer) for task, answer in self.summary.items()},
            "segments": [
                {
                    "start": round(one.start, 3),
                    "end": round(one.end, 3),
                    **{task: _plain(answer) for task, answer in one.answers.items()},
                    "modalities": list(one.modalities),
                    "text": one.text,
                }
                for one in self.segments
            ],
            "faults": self.faults,
            "warning": self.warning,
        }

    def plot(self, path: str | Path | None = None, task: str | None = None) -> Figure:
        """Waveform, faces, words and ``task`` (the first) over time; written to ``path`` if given (svg, png, pdf)."""
        from affuse.inference.plot import plot_timeline

        return plot_timeline(self, path, task or next(iter(self.spaces)))


def _plain(answer: Answer) -> dict[str, Any]:
    return answer._asdict()

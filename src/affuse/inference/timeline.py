"""What a model says about one clip: segments over time, and the clip as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from affuse.files.names import written
from affuse.inference.windows import Moment
from affuse.inference.words import Word, text_between

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
        """What ``--format json`` writes."""
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


class Judge:
    """From probabilities to answers: the label spaces and the confidences that are too low to tell."""

    def __init__(self, spaces: Mapping[str, Sequence[str]], unsure_below: Mapping[str, float]) -> None:
        self.spaces = {task: list(space) for task, space in spaces.items()}
        self.unsure_below = dict(unsure_below)

    def answer(self, task: str, probabilities: np.ndarray) -> Answer:
        """probabilities: (classes,)"""
        best = int(probabilities.argmax())
        confidence = round(float(probabilities[best]), 4)
        space = self.spaces[task]
        named = {name: round(float(p), 4) for name, p in zip(space, probabilities, strict=True)}
        return Answer(space[best], confidence, confidence < self.unsure_below[task], named)

    def segments(
        self, moments: Sequence[Moment], given: Sequence[tuple[str, ...]], words: Sequence[Word]
    ) -> list[Segment]:
        """Neighbouring moments of one span with the same label in every task become one segment.

        given: the modalities of each window. A segment's probabilities are the mean over its seconds.
        """
        groups: list[list[Moment]] = []
        for moment in moments:
            last = groups[-1][-1] if groups else None
            same = (
                last is not None
                and last.span == moment.span
                and abs(last.end - moment.start) < 1e-6
                and all(last.probabilities[t].argmax() == p.argmax() for t, p in moment.probabilities.items())
            )
            if same:
                groups[-1].append(moment)
            else:
                groups.append([moment])
        segments = []
        for group in groups:
            start, end = group[0].start, group[-1].end
            answers = {task: self.answer(task, p) for task, p in _mean(group).items()}
            used = {name for moment in group for i in moment.windows for name in given[i]}
            order = dict.fromkeys(name for names in given for name in names)
            modalities = tuple(name for name in order if name in used)
            segments.append(Segment(start, end, answers, modalities, text_between(words, start, end)))
        return segments

    def summary(self, moments: Sequence[Moment]) -> dict[str, Answer]:
        return {task: self.answer(task, p) for task, p in _mean(moments).items()} if moments else {}


def _mean(moments: Sequence[Moment]) -> dict[str, np.ndarray]:
    """task -> (classes,), each moment counting by its seconds."""
    weights = [moment.end - moment.start for moment in moments]
    return {
        task: np.average([moment.probabilities[task] for moment in moments], axis=0, weights=weights)
        for task in moments[0].probabilities
    }


def _plain(answer: Answer) -> dict[str, Any]:
    return answer._asdict()

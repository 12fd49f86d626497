"""What is told of a segment and of a moment: an answer with its probabilities, or a rating with its band."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


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


class Value(NamedTuple):
    """What the model says of a rating, on its corpus's scale.

    Attributes:
        mean: Over the windows of a moment; of a segment or clip, over its seconds.
        low: Where the band begins in which the ratings of most utterances lie, see ``Timeline.coverage``; None: the
            model has no band.
        high: Where it ends, or None.
    """

    mean: float
    low: float | None
    high: float | None


class Segment(NamedTuple):
    """Neighbouring moments with the same labels; of a model that tells ratings alone, a stretch of speech.

    Attributes:
        start: Seconds of the clip.
        end: Seconds of the clip.
        answers: Task -> answer.
        modalities: Those that some window of the segment had.
        text: The words said in it, "" where none are known.
        values: Regression -> its rating.
    """

    start: float
    end: float
    answers: dict[str, Answer]
    modalities: tuple[str, ...]
    text: str
    values: dict[str, Value] = {}  # noqa: RUF012 - a NamedTuple's default; nobody adds to it

    def to_dict(self) -> dict[str, Any]:
        """What the JSON file holds of it."""
        return {
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            **{task: told._asdict() for task, told in {**self.answers, **self.values}.items()},
            "modalities": list(self.modalities),
            "text": self.text,
        }


class CurvePoint(NamedTuple):
    """What the model says of a stretch that the same windows cover.

    Attributes:
        start: Seconds of the clip.
        end: Seconds of the clip.
        probabilities: Task -> class -> probability, the mean over those windows.
        values: Regression -> its rating, the mean over those windows.
    """

    start: float
    end: float
    probabilities: dict[str, dict[str, float]]
    values: dict[str, Value] = {}  # noqa: RUF012 - as of Segment


class Picture(NamedTuple):
    """A face for the plot: (size, size, 3) uint8 RGB, at ``time`` seconds of the clip."""

    time: float
    pixels: np.ndarray

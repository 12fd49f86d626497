"""The JSON of the service back to timelines and segments."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from affuse.errors import AffuseError
from affuse.inference.live.pictures import Square
from affuse.inference.sound_scan import PEAK_SECONDS
from affuse.inference.timeline import Answer, CurvePoint, Picture, Segment, Timeline, Value
from affuse.inference.words import Word
from affuse.recipe.dimension import Dimension

_OF_SEGMENTS = ("start", "end", "modalities", "text")


def read_timeline(told: Mapping[str, Any], clip: str, values: bool | None = None) -> Timeline:
    """The timeline that ``detail=full`` tells.

    Args:
        told: The JSON.
        clip: How the caller calls the clip, which the service does not know.
        values: Whether subtitles name ratings too; None: where there are no classes.

    Raises:
        AffuseError: It is no timeline.
    """
    try:
        cue_values = bool(values) or not told["labels"]
        return Timeline(
            clip, float(told["seconds"]), [read_segment(one) for one in told["segments"]],
            _answers(told["summary"]), told["labels"],
            told["window"], told["hop"], [Word(**one) for one in told.get("words", ())], told["faults"],
            told["warning"], float(told["start"]), _peaks(told), _pictures(told), told["left_out"], _moments(told),
            _values(told["summary"]), {task: Dimension(*scale) for task, scale in told.get("ranges", {}).items()},
            {task: share for task, share in told.get("coverage", {}).items() if share is not None}, cue_values,
        )  # fmt: skip
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise AffuseError(
            f"The service's answer is no timeline of this version of affuse ({error}); use the same version here and "
            "there."
        ) from None


def read_segment(told: Mapping[str, Any]) -> Segment:
    """A segment, as it stands in a timeline or a stream's message."""
    tasks = {task: one for task, one in told.items() if task not in _OF_SEGMENTS}
    return Segment(
        told["start"], told["end"], _answers(tasks), tuple(told["modalities"]), told["text"], _values(tasks)
    )


def _answers(told: Mapping[str, Any]) -> dict[str, Answer]:
    """Those of tasks with classes."""
    return {
        task: Answer(*(one[name] for name in Answer._fields)) for task, one in told.items() if "label" in one
    }


def _values(told: Mapping[str, Any]) -> dict[str, Value]:
    """Those of ratings."""
    return {
        task: Value(*(one[name] for name in Value._fields)) for task, one in told.items() if "mean" in one
    }


def read_squares(told: Mapping[str, Any]) -> dict[str, Square | None]:
    """Where faces are, as a stream's message tells it: modality -> its place in the picture."""
    return {name: None if one is None else Square(**one) for name, one in told["squares"].items()}


def _moments(told: Mapping[str, Any]) -> list[CurvePoint]:
    curves = told.get("curves", {})
    return [
        CurvePoint(
            one["start"],
            one["end"],
            {task: one[task] for task in told["labels"]},
            _values({task: curve[i] for task, curve in curves.items()}),
        )
        for i, one in enumerate(told.get("moments", ()))
    ]


def _peaks(told: Mapping[str, Any]) -> np.ndarray:
    """Of every ``PEAK_SECONDS``; a long clip's were joined by the service, and are repeated here."""
    if "peaks" not in told:
        return np.zeros(0, np.float32)
    values = np.asarray(told["peaks"]["values"], np.float32)
    return np.repeat(values, max(1, round(told["peaks"]["seconds"] / PEAK_SECONDS)))


def _pictures(told: Mapping[str, Any]) -> list[Picture]:
    import cv2

    found: list[Picture] = []
    for one in told.get("faces", ()):
        data = np.frombuffer(base64.b64decode(one["image"].partition(",")[2]), np.uint8)
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)
        if pixels is None:
            raise ValueError("a face is no picture")
        found.append(Picture(one["time"], np.ascontiguousarray(pixels[:, :, ::-1])))
    return found

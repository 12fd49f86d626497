"""A timeline as tables: a row per segment, or per moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from affuse.inference.answers import CurvePoint, Segment, Value


def segment_table(
    segments: Iterable[Segment], spaces: Mapping[str, Sequence[str]], ratings: Iterable[str]
) -> pd.DataFrame:
    """See ``Timeline.to_frame``.

    Args:
        segments: In order.
        spaces: Task -> its classes.
        ratings: The regressions.
    """
    columns = ["start", "end"]
    for task, space in spaces.items():
        columns += [task, f"{task}_confidence", f"{task}_unsure", *(f"{task}_p_{name}" for name in space)]
    rows: list[dict[str, Any]] = []
    for segment in segments:
        row: dict[str, Any] = {"start": segment.start, "end": segment.end}
        for task, answer in segment.answers.items():
            row |= {
                task: answer.label,
                f"{task}_confidence": answer.confidence,
                f"{task}_unsure": answer.unsure,
            }
            row |= _probabilities(task, answer.probabilities)
        row |= _numbers(segment.values)
        rows.append(row | {"modalities": "+".join(segment.modalities), "text": segment.text})
    return pd.DataFrame(rows, columns=[*columns, *_columns(ratings), "modalities", "text"])


def moment_table(
    moments: Iterable[CurvePoint], spaces: Mapping[str, Sequence[str]], ratings: Iterable[str]
) -> pd.DataFrame:
    """See ``Timeline.curve``; arguments as of ``segment_table``."""
    columns = ["start", "end", *(f"{task}_p_{name}" for task, space in spaces.items() for name in space)]
    rows: list[dict[str, Any]] = []
    for one in moments:
        row: dict[str, Any] = {"start": one.start, "end": one.end}
        for task, probabilities in one.probabilities.items():
            row |= _probabilities(task, probabilities)
        rows.append(row | _numbers(one.values))
    return pd.DataFrame(rows, columns=[*columns, *_columns(ratings)])


def _probabilities(task: str, probabilities: Mapping[str, float]) -> dict[str, float]:
    return {f"{task}_p_{name}": value for name, value in probabilities.items()}


def _columns(ratings: Iterable[str]) -> list[str]:
    return [f"{task}{end}" for task in ratings for end in ("", "_low", "_high")]


def _numbers(values: Mapping[str, Value]) -> dict[str, float | None]:
    return dict(zip(_columns(values), (number for value in values.values() for number in value), strict=True))

"""All that is measured of one prediction table: metrics with intervals, recalls, groups, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from affuse.evaluation.calibration import (
    expected_calibration_error,
    negative_log_likelihood,
    probabilities_of,
)
from affuse.evaluation.dimensions import (
    concordance_interval,
    has_rating,
    measure_dimension,
    rated_rows,
)
from affuse.evaluation.groups import GROUPINGS, grouped
from affuse.evaluation.intervals import (
    MEASURES,
    Interval,
    speaker_confusions,
    speaker_interval,
    speakers_in_words,
    speakers_of,
)
from affuse.evaluation.label_sets import LABEL_SET_METRICS, f1_interval, has_set, measure_label_sets
from affuse.evaluation.metrics import METRICS, Metrics
from affuse.evaluation.predictions import measure_table


@dataclass(frozen=True)
class Measurement:
    """What ``measure_predictions`` found; shares are 0 to 1.

    Args:
        metrics: task, metric (acc, bacc, macro_f1, weighted_f1; of a regression ccc, pearson, rmse, mae; of several
            labels at once macro_f1, micro_f1, map, and ``f1 <label>`` of each), value, low, high (95 % over speakers,
            of acc, bacc and ccc, and of several labels of macro_f1 and micro_f1; else NaN), n (utterances), speakers.
        recalls: task, class, n, recall, and how many were called each class: ``called <class>``.
        groups: task, grouping (gender, dialog type), group, metric (acc, bacc), value, low, high, n, speakers, p. Of
            two groups also their difference, which alone has a p value. Without lines where no group is known.
        calibration: task, n, confidence (mean), acc, ece, nll (nats).
        notes: What the intervals cannot know of the speakers, in sentences.
    """

    metrics: pd.DataFrame
    recalls: pd.DataFrame
    groups: pd.DataFrame
    calibration: pd.DataFrame
    notes: list[str]


def measure_predictions(
    predictions: pd.DataFrame,
    spaces: Mapping[str, Sequence[str]],
    utterances: pd.DataFrame,
    dimensions: Sequence[str] = (),
    label_sets: Mapping[str, Sequence[str]] | None = None,
) -> Measurement:
    """Measure every task that some row of a prediction table has the label of.

    Args:
        predictions: Columns as ``prediction_table`` makes them.
        spaces: Task -> its classes.
        utterances: Indexed by utterance id: ``speaker`` (null where unknown) and, where known, ``gender`` and
            ``scenario``.
        dimensions: The regressions.
        label_sets: Task -> its labels, of the tasks of several labels at once.

    Examples:
        >>> predictions = pd.DataFrame({
        ...     "id": ["a", "b", "c", "d"], "emotion": ["joy", "joy", "anger", ""],
        ...     "emotion_predicted": ["joy", "anger", "anger", "joy"],
        ...     "emotion_p_joy": [0.9, 0.4, 0.2, 0.6], "emotion_p_anger": [0.1, 0.6, 0.8, 0.4],
        ... })
        >>> people = pd.DataFrame({"speaker": ["p", "q", "q", "p"]}, index=["a", "b", "c", "d"])
        >>> found = measure_predictions(predictions, {"emotion": ["joy", "anger"]}, people)
        >>> found.metrics.set_index("metric")["value"].round(3).to_dict()
        {'acc': 0.667, 'bacc': 0.75, 'macro_f1': 0.667, 'weighted_f1': 0.667}
        >>> found.recalls["recall"].tolist()
        [0.5, 1.0]
    """
    metrics: list[dict[str, object]] = []
    recalls: list[dict[str, object]] = []
    calibration: list[dict[str, object]] = []
    groups: list[pd.DataFrame] = []
    speakers = utterances["speaker"]
    for task, space in spaces.items():
        if task not in predictions.columns or not predictions[task].isin(list(space)).any():
            continue
        found = measure_table(predictions, task, space)
        metrics += _metrics(task, found, speaker_confusions([predictions], task, space, speakers))
        recalls += _recalls(task, found, space)
        calibration.append(_calibration(task, found, predictions, space))
        groups += _groups(task, predictions, space, utterances)
    for task in dimensions:
        if has_rating(predictions, task):
            metrics += _of_ratings(task, predictions, speakers)
    for task, labels in (label_sets or {}).items():
        if has_set(predictions, task).any():
            metrics += _of_sets(task, predictions, labels, speakers)
    return Measurement(
        metrics=pd.DataFrame(metrics),
        recalls=pd.DataFrame(recalls),
        groups=pd.concat(groups, ignore_index=True) if groups else pd.DataFrame(),
        calibration=pd.DataFrame(calibration),
        notes=speakers_in_words(speakers.reindex(predictions["id"])),
    )


def _metrics(task: str, found: Metrics, confusions: np.ndarray) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    for name in METRICS:
        low = high = float("nan")
        if name in MEASURES:
            low, high = speaker_interval(confusions, name)[1:]
        value = {"task": task, "metric": name, "value": getattr(found, name), "low": low, "high": high}
        lines.append({**value, "n": found.n, "speakers": len(confusions)})
    return lines


def _of_ratings(task: str, predictions: pd.DataFrame, speakers: pd.Series) -> list[dict[str, object]]:
    found = measure_dimension(predictions, task)._asdict()
    n, count = found.pop("n"), speakers_of(rated_rows(predictions, task)["id"], speakers).nunique()
    ends = concordance_interval(predictions, task, speakers)
    unknown = Interval(float("nan"), float("nan"), float("nan"))
    lines: list[dict[str, object]] = []
    for name, value in found.items():
        _, low, high = ends if name == "ccc" else unknown
        line = {"task": task, "metric": name, "value": value, "low": low, "high": high}
        lines.append({**line, "n": n, "speakers": count})
    return lines


def _of_sets(
    task: str, predictions: pd.DataFrame, labels: Sequence[str], speakers: pd.Series
) -> list[dict[str, object]]:
    found = measure_label_sets(predictions, task, labels)
    count = speakers_of(predictions["id"][has_set(predictions, task)], speakers).nunique()
    unknown = Interval(float("nan"), float("nan"), float("nan"))
    lines: list[dict[str, object]] = []
    for name in LABEL_SET_METRICS:
        ends = unknown if name == "map" else f1_interval(predictions, task, labels, speakers, name)
        line = {
            "task": task,
            "metric": name,
            "value": getattr(found, name),
            "low": ends.low,
            "high": ends.high,
        }
        lines.append({**line, "n": found.n, "speakers": count})
    for label, value in found.f1.items():
        line = {
            "task": task,
            "metric": f"f1 {label}",
            "value": value,
            "low": unknown.low,
            "high": unknown.high,
        }
        lines.append({**line, "n": found.support[label], "speakers": count})
    return lines


def _recalls(task: str, found: Metrics, space: Sequence[str]) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    for i, label in enumerate(space):
        called = {f"called {name}": int(found.confusion[i, j]) for j, name in enumerate(space)}
        counts = {"n": int(found.confusion[i].sum()), "recall": found.recall[label]}
        lines.append({"task": task, "class": label, **counts, **called})
    return lines


def _calibration(
    task: str, found: Metrics, predictions: pd.DataFrame, space: Sequence[str]
) -> dict[str, object]:
    probabilities, labels = probabilities_of(predictions, task, space)
    return {
        "task": task, "n": len(labels), "confidence": float(probabilities.max(axis=1).mean()), "acc": found.acc,
        "ece": expected_calibration_error(probabilities, labels), "nll": negative_log_likelihood(probabilities, labels),
    }  # fmt: skip


def _groups(
    task: str, predictions: pd.DataFrame, space: Sequence[str], utterances: pd.DataFrame
) -> list[pd.DataFrame]:
    parts: list[pd.DataFrame] = []
    for column, title in GROUPINGS.items():
        if column in utterances.columns and column != task:
            known = utterances[column].dropna().astype(str)
            by = grouped([predictions], task, space, known, utterances["speaker"])
            kept = by[by["metric"].isin(list(MEASURES))]
            parts.append(kept.assign(task=task, grouping=title)[["task", "grouping", *kept.columns]])
    return parts

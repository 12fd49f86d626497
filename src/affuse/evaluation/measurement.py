"""All that is measured of one prediction table: metrics with intervals, recalls, groups, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from affuse.evaluation.calibration import (
    expected_calibration_error,
    negative_log_likelihood,
    probabilities_of,
)
from affuse.evaluation.dimensions import undefined_in_words
from affuse.evaluation.groups import GROUPINGS, grouped
from affuse.evaluation.intervals import speakers_in_words
from affuse.evaluation.label_sets import measure_label_sets
from affuse.evaluation.measures import ClassMeasure, Measure, RatingMeasure, SetMeasure, measures_of
from affuse.evaluation.metrics import Metrics
from affuse.evaluation.predictions import measure_table


@dataclass(frozen=True)
class Measurement:
    """What ``measure_predictions`` found; shares are 0 to 1.

    Args:
        metrics: task, metric (acc, bacc, macro_f1, weighted_f1; of a regression ccc, pearson, rmse, mae; of several
            labels at once macro_f1, micro_f1, map, and ``f1 <label>`` of each), value, low, high (95 % over speakers,
            but of F1 scores of classes, mAP and single labels; else NaN), n (utterances), speakers.
        recalls: task, class, n, recall, and how many were called each class: ``called <class>``.
        groups: task, grouping (gender, dialog type), group, metric (acc, bacc; ccc, rmse), value, low, high, n,
            speakers, p. Of two groups also their difference, which alone has a p value. Without lines where no group is
            known.
        calibration: task, n, confidence (mean), acc, ece, nll (nats).
        notes: Which metrics say nothing here, and what the intervals cannot know of the speakers, in sentences.
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
    notes: list[str] = []
    for task, measure in measures_of(spaces, dimensions, label_sets).items():
        if not measure.has_label(predictions):
            continue
        metrics += _metrics(measure, predictions, speakers)
        groups += _groups(measure, predictions, utterances)
        if isinstance(measure, ClassMeasure):
            found = measure_table(predictions, task, measure.space)
            recalls += _recalls(task, found, measure.space)
            calibration.append(_calibration(task, found, predictions, measure.space))
        elif isinstance(measure, SetMeasure):
            metrics += _of_labels(measure, predictions, metrics[-1])
        elif isinstance(measure, RatingMeasure) and (text := undefined_in_words(predictions, task)):
            notes.append(text)
    return Measurement(
        metrics=pd.DataFrame(metrics),
        recalls=pd.DataFrame(recalls),
        groups=pd.concat(groups, ignore_index=True) if groups else pd.DataFrame(),
        calibration=pd.DataFrame(calibration),
        notes=notes + speakers_in_words(speakers.reindex(predictions["id"])),
    )


def _metrics(measure: Measure, predictions: pd.DataFrame, speakers: pd.Series) -> list[dict[str, object]]:
    sums, n = measure.speaker_sums([predictions], speakers), int(measure.known(predictions).sum())
    lines: list[dict[str, object]] = []
    for name, value in measure.values(predictions).items():
        _, low, high = measure.interval(sums, name)
        line = {"task": measure.task, "metric": name, "value": value, "low": low, "high": high}
        lines.append({**line, "n": n, "speakers": len(sums)})
    return lines


def _of_labels(
    measure: SetMeasure, predictions: pd.DataFrame, line: Mapping[str, object]
) -> list[dict[str, object]]:
    """A line like ``line`` for the F1 of each label; n: the utterances that have it."""
    found = measure_label_sets(predictions, measure.task, measure.labels)
    unknown = {"low": float("nan"), "high": float("nan")}
    return [
        {**line, "metric": f"f1 {label}", "value": value, **unknown, "n": found.support[label]}
        for label, value in found.f1.items()
    ]


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


def _groups(measure: Measure, predictions: pd.DataFrame, utterances: pd.DataFrame) -> list[pd.DataFrame]:
    parts: list[pd.DataFrame] = []
    for column, title in GROUPINGS.items():
        if column in utterances.columns and column != measure.task:
            known = utterances[column].dropna().astype(str)
            by = grouped(measure, [predictions], known, utterances["speaker"])
            kept = by[by["metric"].isin(list(measure.grouped))]
            parts.append(kept.assign(task=measure.task, grouping=title)[["task", "grouping", *kept.columns]])
    return parts

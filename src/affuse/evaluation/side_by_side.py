"""Several models' answers to the same utterances, side by side: metrics with intervals, and every pair tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd

from affuse.evaluation.intervals import MEASURES
from affuse.evaluation.measurement import measure_predictions
from affuse.evaluation.measures import SHOWN, ClassMeasure, Measure, RatingMeasure
from affuse.evaluation.p_values import holm
from affuse.evaluation.predictions import prediction_table
from affuse.evaluation.resampling import draw_speakers, resample
from affuse.names import counted

_TINY = 1e-12  # of a probability, so that a row of zeros can be normalised


@dataclass(frozen=True)
class SideBySide:
    """What ``side_by_side`` found; shares are 0 to 1.

    Args:
        classes: Task -> the classes that all models tell.
        ranges: Rating -> the range that all models have.
        metrics: model, task, metric (acc, bacc, macro_f1, weighted_f1, ece; of ratings ccc, pearson, rmse, mae), value,
            low, high (95 % over speakers), n, speakers.
        differences: task, metric (acc, bacc; ccc, rmse), model, reference, difference (model less reference) with low,
            high and p by bootstrap over speakers, p_holm (of all pairs of the metric), n, speakers.
        notes: What is not compared, and what the intervals cannot know, in sentences.
    """

    classes: dict[str, list[str]]
    metrics: pd.DataFrame
    differences: pd.DataFrame
    notes: list[str]
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])


def side_by_side(
    tables: Mapping[str, pd.DataFrame],
    spaces: Mapping[str, Mapping[str, Sequence[str]]],
    utterances: pd.DataFrame,
    ranges: Mapping[str, Mapping[str, tuple[float, float]]] | None = None,
) -> SideBySide:
    """Compare models on the utterances that all of them answered, among the classes that all of them tell.

    A model that tells more classes answers with the likeliest of the common ones, its probabilities normalised among
    them.

    Args:
        tables: Model -> its prediction table.
        spaces: Model -> task -> its classes, one name for one meaning.
        utterances: Indexed by utterance id: ``speaker`` (null where unknown).
        ranges: Model -> rating -> its range; a rating is compared where it is one and the same.

    Examples:
        >>> def answers(*p):
        ...     return pd.DataFrame({"id": ["a", "b"], "t": ["x", "y"], "t_p_x": p, "t_p_y": [1 - one for one in p]})
        >>> people = pd.DataFrame({"speaker": ["p", "q"]}, index=["a", "b"])
        >>> tables = {"one": answers(0.9, 0.2), "two": answers(0.4, 0.3)}
        >>> found = side_by_side(tables, dict.fromkeys(tables, {"t": ["x", "y"]}), people)
        >>> found.metrics.query("metric == 'acc'")[["model", "value"]].to_dict("list")
        {'model': ['one', 'two'], 'value': [1.0, 0.5]}
    """
    classes: dict[str, list[str]] = {}
    metrics: list[pd.DataFrame] = []
    differences: list[pd.DataFrame] = []
    notes: list[str] = []
    for task in dict.fromkeys(task for known in spaces.values() for task in known):
        lacking = [
            name for name, known in spaces.items() if task not in known or task not in tables[name].columns
        ]
        if lacking:
            notes.append(
                f"{task} is not compared: {', '.join(lacking)} cannot be measured in it (no such classes, or no "
                "labelled utterance left)."
            )
            continue
        first, *others = [known[task] for known in spaces.values()]
        common = [name for name in first if all(name in one for one in others)]
        ids = _common_ids(tables, task, common)
        if len(common) < 2 or not ids:
            both = f"{counted(len(common), 'class')} and {counted(len(ids), 'labelled utterance')}"
            notes.append(f"{task} is not compared: the models have {both} in common.")
            continue
        classes[task] = common
        restricted = {name: _restricted(table, task, common, ids) for name, table in tables.items()}
        for name, table in restricted.items():
            found = measure_predictions(table, {task: common}, utterances)
            notes += [note for note in found.notes if note not in notes]
            ece = found.calibration.iloc[0]
            last = found.metrics.iloc[-1]
            line = {
                "task": task,
                "metric": "ece",
                "value": ece["ece"],
                "n": last["n"],
                "speakers": last["speakers"],
            }
            metrics.append(
                pd.concat([found.metrics, pd.DataFrame([line])], ignore_index=True).assign(model=name)
            )
        measure = ClassMeasure(task, common)
        for metric in MEASURES:
            pairs, why = _pairs(restricted, measure, utterances["speaker"], metric)
            differences.append(pairs)
            notes += why
    common_ranges: dict[str, tuple[float, float]] = {}
    for task in dict.fromkeys(task for known in (ranges or {}).values() for task in known):
        found = {name: known.get(task) for name, known in (ranges or {}).items()}
        why = _why_not_rated(found, tables, task)
        if why:
            notes.append(f"{task} is not compared: {why}.")
            continue
        measure = RatingMeasure(task)
        ids = _rated_ids(tables, measure)
        rated = {name: table.set_index("id", drop=False).loc[ids] for name, table in tables.items()}
        common_ranges[task] = next(one for one in found.values() if one is not None)
        for name, table in rated.items():
            measured = measure_predictions(table.reset_index(drop=True), {}, utterances, [task])
            notes += [note for note in measured.notes if note not in notes]
            metrics.append(measured.metrics.assign(model=name))
        for metric in measure.grouped:
            pairs, why = _pairs(rated, measure, utterances["speaker"], metric)
            differences.append(pairs)
            notes += why
    names = ["model", "task", "metric", "value", "low", "high", "n", "speakers"]
    return SideBySide(
        classes,
        pd.concat(metrics, ignore_index=True)[names] if metrics else pd.DataFrame(columns=names),
        pd.concat(differences, ignore_index=True) if differences else pd.DataFrame(),
        notes,
        common_ranges,
    )


def _why_not_rated(
    ranges: Mapping[str, tuple[float, float] | None], tables: Mapping[str, pd.DataFrame], task: str
) -> str:
    """Why models cannot be compared by a rating; '' where they can."""
    lacking = [name for name, one in ranges.items() if one is None]
    if lacking:
        return f"{', '.join(lacking)} cannot be measured in it"
    if len(set(ranges.values())) > 1:
        told = ", ".join(f"{name} {one[0]:g} to {one[1]:g}" for name, one in ranges.items() if one)
        return f"its range differs ({told})"
    if not _rated_ids(tables, RatingMeasure(task)):
        return "the models have no rated utterance in common"
    return ""


def _rated_ids(tables: Mapping[str, pd.DataFrame], measure: RatingMeasure) -> list[str]:
    """In the order of the first table."""
    known = [table.loc[measure.known(table), "id"].tolist() for table in tables.values()]
    shared = set(known[0]).intersection(*known[1:])
    return [id for id in known[0] if id in shared]


def _common_ids(tables: Mapping[str, pd.DataFrame], task: str, classes: Sequence[str]) -> list[str]:
    """In the order of the first table."""
    known = [table.loc[table[task].isin(list(classes)), "id"].tolist() for table in tables.values()]
    shared = set(known[0]).intersection(*known[1:])
    return [id for id in known[0] if id in shared]


def _restricted(table: pd.DataFrame, task: str, classes: Sequence[str], ids: Sequence[str]) -> pd.DataFrame:
    rows = table.set_index("id").loc[list(ids)]
    p = rows[[f"{task}_p_{name}" for name in classes]].to_numpy(float) + _TINY
    labels = rows[task].map({name: i for i, name in enumerate(classes)}).to_numpy(int)
    return prediction_table(
        ids, "all", 0, {task: p / p.sum(axis=1, keepdims=True)}, {task: labels}, {task: list(classes)}
    )


def _pairs(
    tables: Mapping[str, pd.DataFrame], measure: Measure, speakers: pd.Series, metric: str
) -> tuple[pd.DataFrame, list[str]]:
    """A line for each pair, and why lines have no interval, in sentences."""
    sums = {name: measure.speaker_sums([table], speakers) for name, table in tables.items()}
    rows: list[dict[str, object]] = []
    unknown: dict[str, list[str]] = {}
    for reference, model in combinations(tables, 2):
        found = measure.difference(sums[reference], sums[model], metric)
        count = len(sums[model])
        rows.append({
            "task": measure.task, "metric": metric, "model": model, "reference": reference, "difference": found.value,
            "low": found.low, "high": found.high, "p": found.p, "n": len(tables[model]), "speakers": count,
        })  # fmt: skip
        if np.isnan(found.p) and count > 1:  # of one speaker ``measure_predictions`` says it
            why = f"{count} speakers are too few"
            if isinstance(measure, ClassMeasure):
                known = resample(sums[reference], draw_speakers(count), metric)
                why = (
                    f"in every resample of the {count} speakers a class is missing"
                    if (~np.isnan(known)).sum() < 2
                    else f"the difference is the same in every resample of the {count} speakers"
                )
            unknown.setdefault(why, []).append(f"{model} - {reference}")
    table = pd.DataFrame(rows)
    table.insert(table.columns.get_loc("p") + 1, "p_holm", holm(np.array(table["p"], float)))  # type: ignore[arg-type]
    return table, [
        f"{SHOWN[metric].name} of {measure.task} has no interval and no p value for {', '.join(pairs)}: {why}."
        for why, pairs in unknown.items()
    ]

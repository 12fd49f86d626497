"""Several models' answers to the same utterances, side by side: metrics with intervals, and every pair tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from affuse.evaluation.differences import paired_difference
from affuse.evaluation.intervals import MEASURES, speaker_confusions
from affuse.evaluation.measurement import measure_predictions
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
        metrics: model, task, metric (acc, bacc, macro_f1, weighted_f1, ece), value, low, high (95 % over speakers), n,
            speakers.
        differences: task, metric, model, reference, difference (model less reference) with low, high and p by bootstrap
            over speakers, p_holm (of all pairs of the metric), n, speakers.
        notes: What is not compared, and what the intervals cannot know, in sentences.
    """

    classes: dict[str, list[str]]
    metrics: pd.DataFrame
    differences: pd.DataFrame
    notes: list[str]


def side_by_side(
    tables: Mapping[str, pd.DataFrame],
    spaces: Mapping[str, Mapping[str, Sequence[str]]],
    utterances: pd.DataFrame,
) -> SideBySide:
    """Compare models on the utterances that all of them answered, among the classes that all of them tell.

    A model that tells more classes answers with the likeliest of the common ones, its probabilities normalised among
    them.

    Args:
        tables: Model -> its prediction table.
        spaces: Model -> task -> its classes, one name for one meaning.
        utterances: Indexed by utterance id: ``speaker`` (null where unknown).

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
        for metric in MEASURES:
            pairs, why = _pairs(restricted, task, common, utterances["speaker"], metric)
            differences.append(pairs)
            notes += why
    names = ["model", "task", "metric", "value", "low", "high", "n", "speakers"]
    return SideBySide(
        classes,
        pd.concat(metrics, ignore_index=True)[names] if metrics else pd.DataFrame(columns=names),
        pd.concat(differences, ignore_index=True) if differences else pd.DataFrame(),
        notes,
    )


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
    tables: Mapping[str, pd.DataFrame], task: str, classes: Sequence[str], speakers: pd.Series, metric: str
) -> tuple[pd.DataFrame, list[str]]:
    """A line for each pair, and why lines have no interval, in sentences."""
    confusions = {
        name: speaker_confusions([table], task, classes, speakers) for name, table in tables.items()
    }
    rows: list[dict[str, object]] = []
    unknown: dict[str, list[str]] = {}
    for reference, model in combinations(tables, 2):
        found = paired_difference(confusions[reference], confusions[model], metric)
        count = len(confusions[model])
        rows.append({
            "task": task, "metric": metric, "model": model, "reference": reference, "difference": found.value,
            "low": found.low, "high": found.high, "p": found.p, "n": len(tables[model]), "speakers": count,
        })  # fmt: skip
        if np.isnan(found.p) and count > 1:  # of one speaker ``measure_predictions`` says it
            known = resample(confusions[reference], draw_speakers(count), metric)
            why = (
                f"in every resample of the {count} speakers a class is missing"
                if (~np.isnan(known)).sum() < 2
                else f"the difference is the same in every resample of the {count} speakers"
            )
            unknown.setdefault(why, []).append(f"{model} - {reference}")
    table = pd.DataFrame(rows)
    table.insert(table.columns.get_loc("p") + 1, "p_holm", holm(np.array(table["p"], float)))  # type: ignore[arg-type]
    return table, [
        f"{metric.upper()} of {task} has no interval and no p value for {', '.join(pairs)}: {why}."
        for why, pairs in unknown.items()
    ]

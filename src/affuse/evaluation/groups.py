"""Metrics of parts of the test utterances (gender, speaker, dialog type), and the gap between two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from affuse.evaluation.differences import Difference, student_difference, undefined
from affuse.evaluation.intervals import LEVEL, Answers, speakers_of
from affuse.evaluation.measures import ClassMeasure, Measure
from affuse.evaluation.resampling import RESAMPLES, draw_speakers

# column of a corpus -> how results call it
GROUPINGS = {"gender": "gender", "scenario": "dialog type"}


def group_metrics(
    measure: Measure, tables: Sequence[pd.DataFrame], groups: pd.Series, clusters: pd.Series
) -> pd.DataFrame:
    """The main metrics of every group of utterances: of classes ACC, BACC and recalls, of ratings CCC and RMSE.

    Args:
        measure: Of the task.
        tables: Prediction tables, one per seed, over which values are averaged.
        groups: Utterance id -> group; utterances without one are left out.
        clusters: Utterance id -> speaker.

    Returns:
        A row per group and metric: group, metric (acc, bacc, recall_<class>; ccc, rmse), value, low, high (95 % over
        the group's speakers; not of recalls), n, speakers. A class that a group lacks has no recall there.
    """
    return _metrics(measure, _in_groups(measure.answers(tables, clusters), groups), groups)


def _metrics(measure: Measure, answers: Sequence[_InGroups], groups: pd.Series) -> pd.DataFrame:
    rows = []
    for group in sorted(groups.dropna().astype(str).unique()):
        sums = measure.sums([of.in_group(group) for of in answers])
        total = measure.utterances(sums).sum()
        if not total:
            continue
        about = {"group": group, "n": round(total / len(answers)), "speakers": len(sums)}
        for metric in measure.grouped:
            rows.append({**about, "metric": metric, **measure.interval(sums, metric)._asdict()})
        if isinstance(measure, ClassMeasure):
            rows += _recalls(sums.sum(axis=0), measure.space, about)
    return pd.DataFrame(rows, columns=["group", "metric", "value", "low", "high", "n", "speakers"])


def _recalls(
    pooled: np.ndarray, space: Sequence[str], about: Mapping[str, object]
) -> list[dict[str, object]]:
    """``pooled``: (tables, classes, classes)."""
    rows: list[dict[str, object]] = []
    support = pooled.sum(axis=-1).mean(axis=0)
    for i, label in enumerate(space):
        if support[i]:
            recall = float((pooled[:, i, i] / pooled[:, i].sum(axis=-1)).mean())
            found = {"metric": f"recall_{label}", "value": recall, "low": np.nan, "high": np.nan}
            rows.append({**about, **found, "n": round(support[i])})
    return rows


def group_gap(
    measure: Measure,
    tables: Sequence[pd.DataFrame],
    groups: pd.Series,
    clusters: pd.Series,
    pair: tuple[str, str],
    metric: str,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """The metric of group ``pair[0]`` minus that of ``pair[1]``, with its interval by bootstrap over speakers.

    A speaker is drawn with all its utterances, in whatever group they are; where each speaker belongs to one group,
    as with gender, each group's speakers are drawn among themselves.

    Args:
        measure: Of the task.
        tables: Prediction tables, one per seed.
        groups: Utterance id -> group.
        clusters: Utterance id -> speaker.
        pair: Two groups.
        metric: One of ``measure.grouped``.
        level: Of the interval.
        resamples: How many.
        seed: Of the resamples.

    Returns:
        Interval and p value are NaN where such a group has one speaker, or where the speakers do not differ.
    """
    answers = _in_groups(measure.answers(tables, clusters), groups)
    return _gap(measure, answers, pair, metric, level, resamples, seed)


def _gap(
    measure: Measure,
    answers: Sequence[_InGroups],
    pair: tuple[str, str],
    metric: str,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    parts = [[of.in_group(group) for of in answers] for group in pair]
    spoken = [{name for part in of for name in part.speakers} for of in parts]
    names = sorted(spoken[0] | spoken[1])
    sums = [measure.sums(of, names) for of in parts]
    if not all(measure.utterances(found).sum() for found in sums):
        return undefined(float("nan"))
    value = float(
        measure.of(sums[0].sum(axis=0), metric).mean() - measure.of(sums[1].sum(axis=0), metric).mean()
    )
    crossed = bool(spoken[0] & spoken[1])
    strata = np.array([0 if crossed else int(name in spoken[1]) for name in names])
    sizes = np.unique(strata, return_counts=True)[1]
    if (sizes < 2).any():
        return undefined(value)
    times = draw_speakers(len(names), resamples, seed, strata)
    values = measure.resampled(sums[0], times, metric) - measure.resampled(sums[1], times, metric)
    found = student_difference(value, values, len(names) - len(sizes), level)
    return (
        found if found.error else undefined(value)
    )  # groups whose speakers do not differ tell nothing of others


def grouped(
    measure: Measure, tables: Sequence[pd.DataFrame], groups: pd.Series, clusters: pd.Series
) -> pd.DataFrame:
    """``group_metrics``, and for two groups the differences of its metrics ("female - male") with a column ``p``.

    Args:
        measure: Of the task.
        tables: Prediction tables, one per seed.
        groups: Utterance id -> group.
        clusters: Utterance id -> speaker.
    """
    answers = _in_groups(measure.answers(tables, clusters), groups)
    found = _metrics(measure, answers, groups)
    names = list(dict.fromkeys(found["group"]))
    if len(names) != 2:
        return found.assign(p=np.nan)
    ids = tables[0].loc[measure.known(tables[0]), "id"]
    heard = int(speakers_of(ids[ids.map(groups).notna()], clusters).nunique())
    lines = []
    for metric in measure.grouped:
        gap = _gap(measure, answers, (names[0], names[1]), metric)
        both = found[found["metric"] == metric]
        lines.append(
            {
                "group": f"{names[0]} - {names[1]}",
                "metric": metric,
                "value": gap.value,
                "low": gap.low,
                "high": gap.high,
                "n": int(both["n"].sum()),
                "speakers": heard,
                "p": gap.p,
            }
        )
    return pd.concat([found, pd.DataFrame(lines)], ignore_index=True)


class _InGroups(NamedTuple):
    """Answers with the group of each, None where it has none."""

    answers: Answers
    groups: np.ndarray

    def in_group(self, group: str) -> Answers:
        return self.answers.where(self.groups == group)


def _in_groups(answers: Sequence[Answers], groups: pd.Series) -> list[_InGroups]:
    found = []
    for of in answers:
        names = of.ids.map(groups).astype("string")
        blanks = names.isna().tolist()
        texts = [None if blank else name for name, blank in zip(names.tolist(), blanks, strict=True)]
        found.append(_InGroups(of, np.array(texts, dtype=object)))
    return found

"""Confidence intervals by bootstrap over speakers: utterances of one speaker are not independent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

RESAMPLES = 2000
LEVEL = 0.95


class Interval(NamedTuple):
    """value: the metric on all rows; low and high: the ends of its interval."""

    value: float
    low: float
    high: float


def speaker_confusions(
    tables: Sequence[pd.DataFrame],
    task: str,
    space: Sequence[str],
    clusters: pd.Series,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """(speakers, tables, classes, classes): one confusion matrix per speaker and prediction table (seed).

    ``clusters`` maps utterance id to speaker; an utterance without one is a cluster of its own. ``names`` are the
    speakers to count, in order (default: those of the tables, sorted).
    """
    position = {name: i for i, name in enumerate(space)}
    blocks = []
    for table in tables:
        rows = table[table[task].isin(list(space))]
        speaker = speakers_of(rows["id"], clusters)
        blocks.append(
            pd.DataFrame(
                {
                    "speaker": speaker.to_numpy(),
                    "true": rows[task].map(position).to_numpy(int),
                    "called": rows[f"{task}_predicted"].map(position).to_numpy(int),
                }
            )
        )
    if names is None:
        names = sorted({str(name) for block in blocks for name in block["speaker"]})
    index = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(tables), len(space), len(space)))
    for seed, block in enumerate(blocks):
        np.add.at(
            counts,
            (block["speaker"].map(index).to_numpy(int), seed, block["true"], block["called"]),
            1,
        )
    return counts


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """ACC of confusion matrices (..., classes, classes)."""
    return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1))


def balanced_accuracy(confusion: np.ndarray) -> np.ndarray:
    """BACC of confusion matrices (..., classes, classes), over the classes that occur."""
    support = confusion.sum(axis=-1)
    recall = np.diagonal(confusion, axis1=-2, axis2=-1) / np.maximum(support, 1)
    with np.errstate(invalid="ignore"):
        return recall.sum(axis=-1) / (support > 0).sum(axis=-1)


def speakers_of(ids: pd.Series, clusters: pd.Series) -> pd.Series:
    """The cluster of every utterance: its speaker, or itself where none is known."""
    speaker = ids.map(clusters)
    return speaker.where(speaker.notna(), ids).astype(str)


def draw_speakers(
    speakers: int, resamples: int = RESAMPLES, seed: int = 0, strata: np.ndarray | None = None
) -> np.ndarray:
    """(resamples, speakers): how often each speaker is drawn, with replacement, within its stratum.

    From n speakers n - 1 are drawn: so the variance of a mean is S^2 / n without bias, where n draws make it
    (n - 1) / n of that, a tenth too small with IEMOCAP's ten (McCarthy and Snowden 1985). ``strata``: (speakers,)
    of integers; each stratum has two speakers at least.
    """
    strata = np.zeros(speakers, int) if strata is None else strata
    random = np.random.default_rng(seed)
    times = np.zeros((resamples, speakers), int)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        n = len(members)
        times[:, members] = random.multinomial(n - 1, np.full(n, 1 / n), size=resamples)
    return times


def resample(confusions: np.ndarray, times: np.ndarray, metric: str) -> np.ndarray:
    """(resamples,) a metric averaged over tables, NaN where BACC has lost a class that all the speakers have.

    confusions: (speakers, tables, classes, classes); times: (resamples, speakers).
    """
    resampled = np.tensordot(times, confusions, axes=1)  # (resamples, tables, classes, classes)
    with np.errstate(invalid="ignore"):
        values = MEASURES[metric](resampled).mean(axis=-1)
    if metric == "bacc":
        # a resample that lost a class measures something else: fewer recalls in the mean
        occurring = confusions.sum(axis=(0, 1, 3)) > 0
        values[~(resampled.sum(axis=(1, 3))[:, occurring] > 0).all(axis=1)] = np.nan
    return values


def bootstrap(
    confusions: np.ndarray, metric: str, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Interval of a metric ("acc" or "bacc"), averaged over tables, by resampling speakers.

    Quantiles of the resamples, at the levels of Student's t with speakers - 1 degrees of freedom instead of the
    normal's: few speakers tell their spread badly (Hesterberg 2015, The American Statistician 69(4)).
    confusions: (speakers, tables, classes, classes). With one speaker, or where no resample has every class, the
    interval is not defined: NaN.
    """
    value = float(MEASURES[metric](confusions.sum(axis=0)).mean())
    speakers = len(confusions)
    if speakers < 2:
        return Interval(value, float("nan"), float("nan"))
    values = resample(confusions, draw_speakers(speakers, resamples, seed), metric)
    if np.isnan(values).all():
        return Interval(value, float("nan"), float("nan"))
    tail = stats.norm.cdf(stats.t.ppf((1 - level) / 2, speakers - 1))
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return Interval(value, float(low), float(high))


MEASURES = {"acc": accuracy, "bacc": balanced_accuracy}

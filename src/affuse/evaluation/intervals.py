"""Confidence intervals by bootstrap over speakers: utterances of one speaker are not independent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd


class Interval(NamedTuple):
    """value: the metric on all rows; low and high: its percentile interval."""

    value: float
    low: float
    high: float


def speaker_confusions(
    tables: Sequence[pd.DataFrame], task: str, space: Sequence[str], clusters: pd.Series
) -> np.ndarray:
    """(speakers, tables, classes, classes): one confusion matrix per speaker and prediction table (seed).

    ``clusters`` maps utterance id to speaker; an utterance without one is a cluster of its own.
    """
    position = {name: i for i, name in enumerate(space)}
    blocks = []
    for table in tables:
        rows = table[table[task].isin(list(space))]
        speaker = rows["id"].map(clusters)
        speaker = speaker.where(speaker.notna(), rows["id"])
        blocks.append(
            pd.DataFrame(
                {
                    "speaker": speaker.to_numpy(),
                    "true": rows[task].map(position).to_numpy(),
                    "called": rows[f"{task}_predicted"].map(position).to_numpy(),
                }
            )
        )
    names = sorted({str(name) for block in blocks for name in block["speaker"]})
    index = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(tables), len(space), len(space)))
    for seed, block in enumerate(blocks):
        np.add.at(
            counts,
            (block["speaker"].astype(str).map(index).to_numpy(), seed, block["true"], block["called"]),
            1,
        )
    return counts


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """ACC of confusion matrices (..., classes, classes)."""
    return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1))


def balanced_accuracy(confusion: np.ndarray) -> np.ndarray:
    """BACC of confusion matrices (..., classes, classes), over the classes that occur."""
    support = confusion.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = np.diagonal(confusion, axis1=-2, axis2=-1) / support
    return np.nanmean(np.where(support > 0, recall, np.nan), axis=-1)


def bootstrap(
    confusions: np.ndarray,
    metric: str,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a metric ("acc" or "bacc"), averaged over tables, by resampling speakers.

    confusions: (speakers, tables, classes, classes). With one speaker, or where no resample has every class, the
    interval is not defined: NaN.
    """
    measure = {"acc": accuracy, "bacc": balanced_accuracy}[metric]
    value = float(measure(confusions.sum(axis=0)).mean())
    speakers = len(confusions)
    if speakers < 2:
        return Interval(value, float("nan"), float("nan"))
    random = np.random.default_rng(seed)
    times = random.multinomial(speakers, np.full(speakers, 1 / speakers), size=resamples)
    resampled = np.tensordot(times, confusions, axes=1)  # (resamples, tables, classes, classes)
    if metric == "bacc":
        # a resample that lost a class measures something else: fewer recalls in the mean
        occurring = confusions.sum(axis=(0, 1, 3)) > 0
        whole = (resampled.sum(axis=(1, 3))[:, occurring] > 0).all(axis=1)
        resampled = resampled[whole]
        if not len(resampled):
            return Interval(value, float("nan"), float("nan"))
    values = measure(resampled).mean(axis=-1)
    tail = (1 - level) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return Interval(value, float(low), float(high))

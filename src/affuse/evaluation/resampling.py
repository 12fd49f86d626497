"""Resamples of speakers: utterances of one speaker are not independent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from affuse.evaluation.intervals import MEASURES

RESAMPLES = 2000


def draw_speakers(
    speakers: int, resamples: int = RESAMPLES, seed: int = 0, strata: np.ndarray | None = None
) -> np.ndarray:
    """How often each speaker is drawn, with replacement, within its stratum.

    From n speakers n - 1 are drawn: so the variance of a mean is S^2 / n without bias, where n draws make it
    (n - 1) / n of that, a tenth too small with IEMOCAP's ten (McCarthy and Snowden 1985).

    Args:
        speakers: How many there are.
        resamples: How many are made.
        seed: Of the draws.
        strata: (speakers,) of integers; each stratum has two speakers at least. None: all are one.

    Returns:
        (resamples, speakers) counts.

    Examples:
        >>> times = draw_speakers(10, resamples=3)
        >>> times.shape, times.sum(axis=1).tolist()
        ((3, 10), [9, 9, 9])
    """
    strata = np.zeros(speakers, int) if strata is None else strata
    random = np.random.default_rng(seed)
    times = np.zeros((resamples, speakers), int)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        n = len(members)
        times[:, members] = random.multinomial(n - 1, np.full(n, 1 / n), size=resamples)
    return times


def resample(
    confusions: np.ndarray, times: np.ndarray, metric: str | Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """A metric of every resample, averaged over tables.

    Args:
        confusions: (speakers, tables, classes, classes), or other sums of speakers' utterances.
        times: (resamples, speakers), see ``draw_speakers``.
        metric: "acc" or "bacc" of confusion matrices, or a function of sums: (..., tables, ...) to (..., tables).

    Returns:
        (resamples,); NaN where BACC has lost a class that all the speakers have, or the function has no value.
    """
    resampled = np.tensordot(times, confusions, axes=1)  # (resamples, tables, classes, classes)
    with np.errstate(invalid="ignore"):
        measure = MEASURES[metric] if isinstance(metric, str) else metric
        values = measure(resampled).mean(axis=-1)
    if metric == "bacc":
        # a resample that lost a class measures something else: fewer recalls in the mean
        occurring = confusions.sum(axis=(0, 1, 3)) > 0
        values[~(resampled.sum(axis=(1, 3))[:, occurring] > 0).all(axis=1)] = np.nan
    return values

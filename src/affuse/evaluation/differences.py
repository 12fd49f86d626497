"""The difference of a metric between two cells on the same utterances, by bootstrap over speakers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from affuse.evaluation.intervals import LEVEL, MEASURES
from affuse.evaluation.resampling import RESAMPLES, draw_speakers, resample

_NO_SPREAD = 1e-12


class Difference(NamedTuple):
    """value with its interval, two-sided p value of "no difference", standard error and degrees of freedom."""

    value: float
    low: float
    high: float
    p: float
    error: float
    df: int


def paired_difference(
    reference: np.ndarray,
    other: np.ndarray,
    metric: str | Callable[[np.ndarray], np.ndarray],
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """``other`` minus ``reference`` in a metric, each averaged over its tables (seeds).

    In every resample both rows lose and repeat the same speakers, so what is hard for both cancels.

    Args:
        reference: Confusion matrices (speakers, tables, classes, classes), see ``intervals.speaker_confusions``; or
            other sums of speakers' utterances (speakers, tables, ...).
        other: The same of the other row: the same speakers and utterances; the number of tables may differ.
        metric: "acc" or "bacc" of confusion matrices, or a function of sums: (tables, ...) to (tables,).
        level: Of the interval.
        resamples: How many.
        seed: Of the resamples.

    Returns:
        See ``student_difference`` for interval and p value; NaN with fewer than two speakers.

    Raises:
        ValueError: The two are not of the same utterances.

    Examples:
        >>> reference = np.array([[[[8, 2], [2, 8]]], [[[7, 3], [3, 7]]], [[[9, 1], [1, 9]]]])
        >>> other = np.array([[[[9, 1], [1, 9]]], [[[9, 1], [1, 9]]], [[[10, 0], [1, 9]]]])
        >>> found = paired_difference(reference, other, "acc")
        >>> round(found.value, 3), bool(found.low < found.value < found.high)
        (0.117, True)
    """
    speakers = len(reference)
    if len(other) != speakers or (
        isinstance(metric, str)
        and (reference.sum(axis=(1, 3)).astype(bool) != other.sum(axis=(1, 3)).astype(bool)).any()
    ):
        raise ValueError("a paired difference needs the same utterances on both sides")
    measure = MEASURES[metric] if isinstance(metric, str) else metric
    value = float(measure(other.sum(axis=0)).mean() - measure(reference.sum(axis=0)).mean())
    if speakers < 2:
        return undefined(value)
    times = draw_speakers(speakers, resamples, seed)
    return student_difference(
        value, resample(other, times, metric) - resample(reference, times, metric), speakers - 1, level
    )


def paired_mean_difference(
    sums: np.ndarray, counts: np.ndarray, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> Difference:
    """The mean over utterances of a difference that each utterance has, by bootstrap over speakers.

    A resample in which a task has no utterance is left out.

    Args:
        sums: (speakers, tasks) differences added up over a speaker's utterances (and over seeds).
        counts: (speakers, tasks) how many utterances those are; the tasks' means are added up.
        level: Of the interval.
        resamples: How many.
        seed: Of the resamples.

    Returns:
        Interval and p value as ``paired_difference``, with the degrees of freedom of the task that the fewest speakers
        have: their spread is known no better. NaN where a task has fewer than two.
    """
    value = float((sums.sum(axis=0) / counts.sum(axis=0)).sum())
    df = int((counts > 0).sum(axis=0).min()) - 1
    if df < 1:
        return undefined(value)
    times = draw_speakers(len(sums), resamples, seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        resampled = (times @ sums / (times @ counts)).sum(axis=1)
    return student_difference(value, resampled, df, level)


def student_difference(value: float, resampled: np.ndarray, df: int, level: float = LEVEL) -> Difference:
    """The interval value +- t(df) x the standard deviation of the resamples, and the p value that agrees with it.

    A percentile interval of ten speakers covers 90 times in 100 where 95 are meant, and its p value ends at one in
    the number of resamples, which no correction for many comparisons survives; Student's t on the bootstrap's
    standard error has neither fault (Cameron and Miller 2015, J. Human Resources 50(2)).

    Args:
        value: The difference on all speakers.
        resampled: (resamples,) differences; NaN ones are left out.
        df: Degrees of freedom.
        level: Of the interval.

    Returns:
        Where the resamples do not differ there is nothing to judge by: p is 1 for a difference of 0, else NaN.
    """
    kept = resampled[~np.isnan(resampled)]
    if len(kept) < 2 or df < 1:
        return undefined(value)
    error = float(kept.std(ddof=1))
    if error < _NO_SPREAD:
        return Difference(value, value, value, 1.0, 0.0, df) if abs(value) < _NO_SPREAD else undefined(value)
    # Student's t: scipy.stats, which is slow to import, has its quantile and its tail from these
    half = float(stdtrit(df, (1 + level) / 2)) * error
    p = float(2 * stdtr(df, -abs(value) / error))
    return Difference(value, value - half, value + half, p, error, df)


def undefined(value: float) -> Difference:
    """A difference without interval and p value."""
    nan = float("nan")
    return Difference(value, nan, nan, nan, nan, 0)

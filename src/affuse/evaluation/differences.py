"""The difference of a metric between two cells on the same utterances, by bootstrap over speakers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from affuse.evaluation.intervals import LEVEL, MEASURES
from affuse.evaluation.resampling import RESAMPLES, draw_speakers, resample

_NO_SPREAD = 1e-12


class Difference(NamedTuple):
    """A difference with its interval, two-sided p value of "no difference", standard error and degrees of freedom."""

    value: float
    low: float
    high: float
    p: float
    error: float
    df: int


def paired_difference(
    reference: np.ndarray,
    other: np.ndarray,
    metric: str,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Compare two cells on the same utterances: ``other`` minus ``reference``, each averaged over its tables (seeds).

    In every resample both cells lose and repeat the same speakers, so what is hard for both cancels. See
    ``student_difference`` for interval and p value.

    Args:
        reference: (speakers, tables, classes, classes) confusion matrices.
        other: The same of the other cell, for the same speakers and utterances; the number of tables may differ.
        metric: "acc" or "bacc".
        level: Level of the interval.
        resamples: Bootstrap resamples over speakers.
        seed: Seed of the resamples.

    Returns:
        The difference; without interval and p value (NaN) for fewer than two speakers.

    Raises:
        ValueError: The two are not of the same utterances.
    """
    speakers = len(reference)
    if (
        len(other) != speakers
        or (reference.sum(axis=(1, 3)).astype(bool) != other.sum(axis=(1, 3)).astype(bool)).any()
    ):
        raise ValueError("a paired difference needs the same utterances on both sides")
    measure = MEASURES[metric]
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

    sums:   (speakers, tasks) differences added up over a speaker's utterances (and over seeds)
    counts: (speakers, tasks) how many utterances those are; the tasks' means are added up

    A resample in which a task has no utterance is left out. Interval and p value as ``paired_difference``, with the
    degrees of freedom of the task that the fewest speakers have: their spread is known no better. NaN where a task has
    fewer than two.
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
    """Give a difference its interval and p value from its bootstrap resamples, by Student's t.

    The interval is value +- t(df) x the standard deviation of the resamples, so interval and p value agree by
    construction. A percentile interval of ten speakers covers the truth 90 times in 100 instead of 95, and its p value
    cannot fall below one over the number of resamples, which no correction for many comparisons survives. Student's t
    on the bootstrap's standard error has neither fault (Cameron and Miller 2015, J. Human Resources 50(2)).

    Args:
        value: The difference itself.
        resampled: (resamples,) the difference in every resample; NaN is left out.
        df: Degrees of freedom: speakers - 1.
        level: Level of the interval.

    Returns:
        The difference. If the resamples do not differ, p is 1 for a difference of 0, else NaN.
    """
    kept = resampled[~np.isnan(resampled)]
    if len(kept) < 2 or df < 1:
        return undefined(value)
    error = float(kept.std(ddof=1))
    if error < _NO_SPREAD:
        return Difference(value, value, value, 1.0, 0.0, df) if abs(value) < _NO_SPREAD else undefined(value)
    half = float(stats.t.ppf((1 + level) / 2, df)) * error
    p = float(2 * stats.t.sf(abs(value) / error, df))
    return Difference(value, value - half, value + half, p, error, df)


def undefined(value: float) -> Difference:
    """A difference without interval and p value."""
    nan = float("nan")
    return Difference(value, nan, nan, nan, nan, 0)

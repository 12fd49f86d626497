"""The interval of a mean over runs (seeds, folds) by Student's t."""

from __future__ import annotations

import numpy as np
from scipy import stats

from affuse.evaluation.intervals import LEVEL, Interval


def over_runs(values: np.ndarray, level: float = LEVEL) -> Interval:
    """Mean of (runs,) values with its interval; no interval (NaN) for a single run, none wide where all are equal."""
    mean = float(values.mean())
    if len(values) < 2:
        return Interval(mean, float("nan"), float("nan"))
    error = float(stats.sem(values))
    if error == 0:  # weights that are fixed
        return Interval(mean, mean, mean)
    low, high = stats.t.interval(level, len(values) - 1, loc=mean, scale=error)
    return Interval(mean, float(low), float(high))

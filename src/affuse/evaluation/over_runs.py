"""The interval of a mean over runs (seeds, folds) by Student's t."""

from __future__ import annotations

import numpy as np
from scipy import stats

from affuse.evaluation.intervals import LEVEL, Interval


def over_runs(values: np.ndarray, level: float = LEVEL, fixed: bool = False) -> Interval:
    """Mean of values over runs with its interval by Student's t.

    Args:
        values: (runs,).
        level: 0 to 1.
        fixed: Runs that are equal by chance tell nothing of others; ``fixed`` values, such as weights that are not
            learnt, may be equal because they must, and have an interval without width then.

    Returns:
        No interval (NaN) for a single run, or where all are equal.

    Examples:
        >>> value, low, high = over_runs(np.array([0.60, 0.64, 0.62]))
        >>> round(value, 2), round(low, 3), round(high, 3)
        (0.62, 0.57, 0.67)
    """
    mean = float(values.mean())
    if len(values) < 2:
        return Interval(mean, float("nan"), float("nan"))
    error = float(stats.sem(values))
    if error == 0:
        end = mean if fixed else float("nan")
        return Interval(mean, end, end)
    low, high = stats.t.interval(level, len(values) - 1, loc=mean, scale=error)
    return Interval(mean, float(low), float(high))

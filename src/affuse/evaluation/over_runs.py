"""The interval of a mean over runs (seeds, folds) by Student's t."""

from __future__ import annotations

import numpy as np
from scipy import stats

from affuse.evaluation.intervals import LEVEL, Interval


def over_runs(values: np.ndarray, level: float = LEVEL, fixed: bool = False) -> Interval:
    """Give the mean over runs with its interval by Student's t.

    Args:
        values: (runs,) one value per run.
        level: Level of the interval.
        fixed: The values are equal by design, such as weights that are not learnt: their interval has no width.
            Otherwise values that happen to be equal say nothing about other runs.

    Returns:
        The mean; low and high are NaN for a single run, or if all values are equal and not ``fixed``.

    Examples:
        >>> import numpy
        >>> [round(end, 3) for end in over_runs(numpy.array([0.7, 0.8, 0.9]))]
        [0.8, 0.552, 1.048]
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

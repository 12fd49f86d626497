"""The corrected resampled t test: differences over folds and seeds whose training parts overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class ResampledT(NamedTuple):
    """What ``corrected_resampled_t`` found.

    Args:
        mean: Mean difference.
        t: The statistic.
        df: Its degrees of freedom.
        p: Two-sided p value.
    """

    mean: float
    t: float
    df: int
    p: float


def corrected_resampled_t(differences: Sequence[float] | np.ndarray, test_over_train: float) -> ResampledT:
    """The t test of differences over folds and seeds, corrected for training parts that overlap.

    t = mean / sqrt((1 / J + n_test / n_train) S^2) with J - 1 degrees of freedom. The plain t test divides by S^2 / J
    as if the J trainings were independent; they share most of their utterances (Nadeau and Bengio 2003, Machine
    Learning 52; over repeated folds: Bouckaert and Frank 2004).

    Args:
        differences: One per fold and seed, J of them; NaN ones are left out.
        test_over_train: n_test / n_train.

    Returns:
        NaN for fewer than two differences; where all are equal p is 1 for 0, else NaN.

    Examples:
        >>> found = corrected_resampled_t([0.02, 0.03, 0.01, 0.04, 0.02], 0.25)
        >>> round(found.mean, 3), found.df, round(found.p, 3)
        (0.024, 4, 0.035)
    """
    d = np.asarray(differences, float)
    d = d[~np.isnan(d)]
    nan = float("nan")
    if len(d) < 2:
        return ResampledT(float(d.mean()) if len(d) else nan, nan, 0, nan)
    mean, variance = float(d.mean()), float(d.var(ddof=1))
    if variance < 1e-24:
        return ResampledT(mean, 0.0 if mean == 0 else nan, len(d) - 1, 1.0 if mean == 0 else nan)
    t = mean / math.sqrt((1 / len(d) + test_over_train) * variance)
    return ResampledT(mean, t, len(d) - 1, float(2 * stats.t.sf(abs(t), len(d) - 1)))

"""The corrected resampled t test: differences over folds and seeds whose training parts overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class ResampledT(NamedTuple):
    """Mean difference, t statistic, degrees of freedom, two-sided p value."""

    mean: float
    t: float
    df: int
    p: float


def corrected_resampled_t(differences: Sequence[float] | np.ndarray, test_over_train: float) -> ResampledT:
    """t = mean / sqrt((1 / J + n_test / n_train) S^2) with J - 1 degrees of freedom.

    differences: one per fold and seed (J of them); test_over_train: n_test / n_train. The plain t test divides by
    S^2 / J as if the J trainings were independent; they share most of their utterances (Nadeau and Bengio 2003,
    Machine Learning 52; over repeated folds: Bouckaert and Frank 2004). NaN for fewer than two
    differences; where all are equal p is 1 for 0, else NaN.
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

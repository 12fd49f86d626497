"""Many p values: of one hypothesis over seeds, and of many hypotheses in one table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from statsmodels.stats.multitest import multipletests


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Adjust the p values of several hypotheses by Holm's step-down method (Holm 1979).

    If each adjusted value is compared with a level, say 0.05, the probability of even one false alarm in the whole
    table stays below that level.

    Args:
        p: (hypotheses,) p values; NaN means "not tested", stays NaN and does not count.

    Returns:
        (hypotheses,) adjusted p values in the same order.

    Examples:
        >>> holm([0.01, 0.04, float("nan")]).tolist()
        [0.02, 0.04, nan]
    """
    p = np.asarray(p, float)
    adjusted = np.full(p.shape, np.nan)
    tested = ~np.isnan(p)
    if tested.any():
        adjusted[tested] = multipletests(p[tested], method="holm")[1]
    return adjusted


def over_seeds(p: Sequence[float] | np.ndarray) -> float:
    """Combine p values of tests that were repeated over seeds on the same utterances: twice their median, 1 at most.

    This is valid however the seeds depend on each other (Meinshausen, Meier and Buehlmann 2009, J. Am. Stat. Assoc.
    104, gamma = 1/2). Pooling the seeds' counts would take the same utterances for new ones.

    Args:
        p: (seeds,) p values; NaN does not count.

    Returns:
        One p value: a single one as it is, NaN if there is none.

    Examples:
        >>> over_seeds([0.01, 0.02, 0.5])
        0.04
    """
    p = np.asarray(p, float)
    p = p[~np.isnan(p)]
    if len(p) == 0:
        return float("nan")
    return float(p[0]) if len(p) == 1 else float(min(1.0, 2 * np.median(p)))

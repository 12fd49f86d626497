"""Many p values: of one hypothesis over seeds, and of many hypotheses in one table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Holm's step-down adjusted p values.

    Compared with the level, they keep the chance of a single false alarm in the whole table below it (Holm 1979, Scand.
    J. Stat. 6). The k-th smallest of m is multiplied by m - k + 1, and is no smaller than the one before.

    statsmodels' ``multipletests`` gives the same to the last bit; it collects Python's garbage at every call, 0.3 s in
    a process that has trained.

    Args:
        p: A NaN is no test: it stays NaN and does not count.

    Examples:
        >>> holm([0.01, 0.04, float("nan")]).tolist()
        [0.02, 0.04, nan]
    """
    p = np.asarray(p, float)
    adjusted = np.full(p.shape, np.nan)
    tested = ~np.isnan(p)
    order = np.argsort(p[tested], kind="stable")
    raised = np.maximum.accumulate(p[tested][order] * np.arange(len(order), 0, -1))
    found = np.empty(len(order))
    found[order] = np.minimum(raised, 1.0)
    adjusted[tested] = found
    return adjusted


def over_seeds(p: Sequence[float] | np.ndarray) -> float:
    """One p value of tests repeated over seeds on the same utterances: twice their median, 1 at most.

    Valid however the seeds depend on each other (Meinshausen, Meier and Buehlmann 2009, J. Am. Stat. Assoc. 104,
    gamma = 1/2); pooling the seeds' counts would take the same utterances for new ones.

    Args:
        p: NaN ones are left out; a single one stays as it is.

    Examples:
        >>> over_seeds([0.01, 0.02, 0.3])
        0.04
    """
    p = np.asarray(p, float)
    p = p[~np.isnan(p)]
    if len(p) == 0:
        return float("nan")
    return float(p[0]) if len(p) == 1 else float(min(1.0, 2 * np.median(p)))

"""McNemar's exact test: two cells on the same utterances, by the utterances that only one of them gets right."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar


class McNemar(NamedTuple):
    """What ``mcnemar`` found.

    Args:
        only_reference: Utterances that only the reference gets right.
        only_other: Utterances that only the other gets right.
        p: The exact two-sided p value.
    """

    only_reference: int
    only_other: int
    p: float


def mcnemar(reference_right: np.ndarray, other_right: np.ndarray) -> McNemar:
    """The exact (binomial) test on the discordant utterances; p is 1 where there are none.

    It tests ACC, and takes utterances for independent, which utterances of one speaker are not (McNemar 1947,
    Psychometrika 12; Dietterich 1998, Neural Computation 10).

    Args:
        reference_right: (utterances,) booleans.
        other_right: (utterances,) booleans, in the same order.

    Raises:
        ValueError: The two are not of the same length.

    Examples:
        >>> mcnemar(np.array([True, False, False, False]), np.array([True, True, True, True]))
        McNemar(only_reference=0, only_other=3, p=0.25)
    """
    reference, other = np.asarray(reference_right, bool), np.asarray(other_right, bool)
    if reference.shape != other.shape:
        raise ValueError("McNemar's test needs the same utterances on both sides")
    only_reference, only_other = int((reference & ~other).sum()), int((other & ~reference).sum())
    if only_reference + only_other == 0:
        return McNemar(0, 0, 1.0)
    table = [
        [int((reference & other).sum()), only_reference],
        [only_other, int((~reference & ~other).sum())],
    ]
    test: Any = statsmodels_mcnemar(table, exact=True)
    return McNemar(only_reference, only_other, float(test.pvalue))

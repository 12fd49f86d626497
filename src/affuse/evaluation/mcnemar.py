"""McNemar's exact test: two cells on the same utterances, by the utterances that only one of them gets right."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar


class McNemar(NamedTuple):
    """Utterances that only the reference and only the other cell gets right; the exact two-sided p value."""

    only_reference: int
    only_other: int
    p: float


def mcnemar(reference_right: np.ndarray, other_right: np.ndarray) -> McNemar:
    """Compare the ACC of two cells by the exact (binomial) test on the utterances that only one of them gets right.

    The test takes utterances for independent, which utterances of one speaker are not (McNemar 1947, Psychometrika 12;
    Dietterich 1998, Neural Computation 10).

    Args:
        reference_right: (utterances,) whether the reference is right.
        other_right: (utterances,) whether the other cell is right, in the same order.

    Returns:
        The two counts and the two-sided p value; p is 1 if no utterance is right in one cell only.

    Raises:
        ValueError: The two arrays differ in length.

    Examples:
        >>> mcnemar([True, True, True, False], [True, False, False, False])
        McNemar(only_reference=2, only_other=0, p=0.5)
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

"""What a comparison of this size can show at all: the minimum detectable difference."""

from __future__ import annotations

import math
from typing import Any

from scipy import stats
from scipy.optimize import brentq

POWER = 0.8
ALPHA = 0.05


def detectable_difference(error: float, df: int, power: float = POWER, alpha: float = ALPHA) -> float:
    """Find the true difference that a two-sided t test at level ``alpha`` finds with probability ``power``.

    Solves P(|T'| > t(1 - alpha / 2, df)) = power for the noncentral T' with df degrees of freedom and noncentrality
    difference / error (Cohen 1988, ch. 2).

    Args:
        error: Standard error of the difference, as ``paired_difference`` gives it.
        df: Its degrees of freedom.
        power: Probability of finding the difference.
        alpha: Level of the test.

    Returns:
        The difference, in the unit of ``error``; NaN if the error is not known, or 0.

    Examples:
        >>> round(detectable_difference(error=1.0, df=9), 2)
        3.15
    """
    if not error > 0 or df < 1:
        return float("nan")
    bound = float(stats.t.ppf(1 - alpha / 2, df))

    def missing(shift: float) -> float:
        # the far tail by symmetry: scipy's own cdf is NaN there
        return float(stats.nct.sf(bound, df, shift) + stats.nct.sf(bound, df, -shift)) - power

    # with one degree of freedom the bound is 12.7 and the answer 17 errors
    shift: Any = brentq(missing, 0.0, 3 * bound + 4)
    return float(shift) * error


def detectable_by_mcnemar(n: int, discordant: float, power: float = POWER, alpha: float = ALPHA) -> float:
    """Find the difference in ACC that McNemar's test on n independent utterances finds with probability ``power``.

    Solves n d^2 = (z(1 - alpha / 2) sqrt(discordant) + z(power) sqrt(discordant - d^2))^2 (Connor 1987, Biometrics 43).

    Args:
        n: Utterances.
        discordant: Share of the utterances, 0 to 1, that exactly one of the two cells gets right.
        power: Probability of finding the difference.
        alpha: Level of the test.

    Returns:
        The difference, 0 to 1; NaN if even ``discordant`` itself is too small to be found.

    Examples:
        >>> round(detectable_by_mcnemar(n=1000, discordant=0.1), 3)
        0.028
    """
    a, b = float(stats.norm.ppf(1 - alpha / 2)), float(stats.norm.ppf(power))

    def short(d: float) -> float:
        return math.sqrt(n) * d - a * math.sqrt(discordant) - b * math.sqrt(max(0.0, discordant - d * d))

    if n < 1 or not 0 < discordant <= 1 or short(discordant) < 0:
        return float("nan")
    found: Any = brentq(short, 0.0, discordant)
    return float(found)

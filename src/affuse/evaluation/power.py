"""What a comparison of this size can show at all: the minimum detectable difference."""

from __future__ import annotations

import math
from typing import Any

from scipy import stats
from scipy.optimize import brentq

POWER = 0.8
ALPHA = 0.05


def detectable_difference(error: float, df: int, power: float = POWER, alpha: float = ALPHA) -> float:
    """The true difference that a two-sided t test finds with a given probability.

    Solves P(|T'| > t(1 - alpha / 2, df)) = power for the noncentral T' with df and noncentrality difference / error
    (Cohen 1988, ch. 2).

    Args:
        error: Standard error of the difference (of ``paired_difference``: speakers, pairing and seeds are in it).
        df: Its degrees of freedom.
        power: The probability.
        alpha: The test's level.

    Returns:
        In the unit of ``error``; NaN where that is not known, or 0.

    Examples:
        >>> round(detectable_difference(0.01, 9), 4)
        0.0315
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
    """The difference in ACC that McNemar's test on independent utterances finds with a given probability.

    Solves n d^2 = (z(1 - alpha / 2) sqrt(discordant) + z(power) sqrt(discordant - d^2))^2 (Connor 1987, Biometrics 43).

    Args:
        n: Utterances.
        discordant: Share of them, 0 to 1, that exactly one of two rows gets right.
        power: The probability.
        alpha: The test's level.

    Returns:
        0 to 1; NaN where even d = discordant is too small to find.

    Examples:
        >>> round(detectable_by_mcnemar(1000, 0.1), 3)
        0.028
    """
    a, b = float(stats.norm.ppf(1 - alpha / 2)), float(stats.norm.ppf(power))

    def short(d: float) -> float:
        return math.sqrt(n) * d - a * math.sqrt(discordant) - b * math.sqrt(max(0.0, discordant - d * d))

    if n < 1 or not 0 < discordant <= 1 or short(discordant) < 0:
        return float("nan")
    found: Any = brentq(short, 0.0, discordant)
    return float(found)

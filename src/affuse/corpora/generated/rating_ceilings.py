"""The best possible CCC of a rating on the generated corpus, exactly, for every subset of modalities.

An ideal observer sees what each modality of the subset shows, d, and knows all probabilities. Nothing it can answer
about the mean rating y is better than E[y | d], for the squared error. CCC asks for more: of all answers f(d),

    CCC = 2 cov(f, y) / (var f + var y + (E f - E y)^2)

is largest for f = E y + a (E[y | d] - E y) with a = sd(y) / sd(E[y | d]), since cov(f, y) = cov(f, E[y | d]), which for
a given var f is largest where f is a multiple of it; and a is where 2 a v / (a^2 v + var y), v = var E[y | d], has its
maximum. It is CCC* = sd(E[y | d]) / sd(y), which is the observer's Pearson correlation too.
"""

from __future__ import annotations

import math

import numpy as np

from affuse.corpora.generated.annotators import RATED_BY, RATING_NOISE, RATINGS
from affuse.corpora.generated.ceilings import subsets
from affuse.corpora.generated.displays import LABEL_MIX, hidden_shares, shown_given

DIMENSIONS = ("valence", "arousal", "dominance")


def one_rating(centre: float) -> tuple[float, float]:
    """Mean and variance of one annotator's rating: a normal one around ``centre``, rounded, and kept from 1 to 5."""
    ratings = np.arange(1, 6)
    below = [0.0, *(_normal((edge - centre) / RATING_NOISE) for edge in (1.5, 2.5, 3.5, 4.5)), 1.0]
    shares = np.diff(below)
    mean = float(shares @ ratings)
    return mean, float(shares @ (ratings - mean) ** 2)


def meant_shares() -> dict[str, float]:
    """What turns are meant as, by share; one without consensus is meant as something too."""
    total = sum(LABEL_MIX.values())
    shares = {label: number / total for label, number in LABEL_MIX.items() if label != "xxx"}
    for label, share in hidden_shares().items():
        shares[label] += LABEL_MIX["xxx"] / total * share
    return shares


def rating_ceiling(dimension: str, modalities: tuple[str, ...]) -> float:
    """The best possible CCC with the mean of the external annotators, over all turns.

    Args:
        dimension: One of ``DIMENSIONS``.
        modalities: What is seen, of ``displays.MODALITIES``.

    Examples:
        >>> round(rating_ceiling("valence", ("audio", "text")), 3)
        0.699
    """
    meant = meant_shares()
    share = np.array(list(meant.values()))
    moments = [one_rating(RATINGS[label][DIMENSIONS.index(dimension)]) for label in meant]
    mean = np.array([one for one, _ in moments])
    noise = np.array(
        [variance / len(RATED_BY) for _, variance in moments]
    )  # of the mean of independent ratings
    seen = np.array([_shown(label, modalities) for label in meant]) * share[:, None]  # P(meant, d)
    displays = seen.sum(0)
    answer = mean @ seen / np.where(displays > 0, displays, 1)  # E[y | d]
    middle = share @ mean
    told = displays @ (answer - middle) ** 2
    return math.sqrt(told / (share @ ((mean - middle) ** 2 + noise)))


def rating_ceilings() -> dict[str, dict[str, float]]:
    """Subset ("audio+text") -> dimension -> best possible CCC."""
    return {"+".join(seen): {one: rating_ceiling(one, seen) for one in DIMENSIONS} for seen in subsets()}


def _shown(label: str, modalities: tuple[str, ...]) -> np.ndarray:
    shown = np.ones(1)
    for modality in modalities:
        shown = np.outer(shown, shown_given(modality, label)).ravel()
    return shown


def _normal(at: float) -> float:
    return (1 + math.erf(at / math.sqrt(2))) / 2

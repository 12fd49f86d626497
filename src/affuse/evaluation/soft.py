"""Metrics of probabilities against the votes of several raters.

Votes are counts or shares, (utterances, classes); utterances without a vote are left out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from affuse.evaluation.calibration import LEAST

SOFT_METRICS = {
    "soft_cross_entropy": "soft cross-entropy",
    "jensen_shannon": "Jensen-Shannon",
    "thresholded_macro_f1": "macro-F1 above 1/classes",
}  # name -> as it is shown


class SoftMetrics(NamedTuple):
    """How well probabilities agree with votes.

    Args:
        soft_cross_entropy: Mean of - sum(share log probability), in nats; at best ``entropy``.
        entropy: Mean entropy of the votes, in nats: the cross-entropy of answers that are the votes themselves.
        jensen_shannon: Mean divergence, base 2: 0 where answers are the votes, 1 where they share no class.
        thresholded_macro_f1: See ``thresholded_macro_f1``, 0 to 1.
        n: Utterances with a vote.
    """

    soft_cross_entropy: float
    entropy: float
    jensen_shannon: float
    thresholded_macro_f1: float
    n: int


def measure_soft(votes: np.ndarray, probabilities: np.ndarray) -> SoftMetrics:
    """Measure probabilities against votes.

    Args:
        votes: (utterances, classes) counts or shares; NaN or zeros throughout a row without votes.
        probabilities: (utterances, classes).

    Raises:
        ValueError: No utterance has a vote, or the shapes differ.

    Examples:
        >>> found = measure_soft(np.array([[3, 1], [0, 2]]), np.array([[0.75, 0.25], [0.0, 1.0]]))
        >>> found.soft_cross_entropy == found.entropy, found.jensen_shannon, found.thresholded_macro_f1
        (True, 0.0, 1.0)
    """
    shares, answers = _voted(votes, probabilities)
    return SoftMetrics(
        float(soft_cross_entropy(shares, answers).mean()),
        float(soft_cross_entropy(shares, shares).mean()),
        float(jensen_shannon(shares, answers).mean()),
        thresholded_macro_f1(shares, answers),
        len(shares),
    )


def soft_cross_entropy(shares: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The cross-entropy of probabilities to votes, in nats: (utterances,).

    Args:
        shares: (utterances, classes) parts of the votes, 1 in all.
        probabilities: (utterances, classes); below ``calibration.LEAST`` they count as that.

    Examples:
        >>> soft_cross_entropy(np.array([[0.5, 0.5]]), np.array([[0.5, 0.5]])).round(3).tolist()
        [0.693]
    """
    return -(shares * np.log(np.maximum(probabilities, LEAST))).sum(axis=1)


def jensen_shannon(shares: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The Jensen-Shannon divergence (Lin 1991) in base 2, 0 to 1: (utterances,).

    Half the divergences of both from their mean; not its root, which is called the distance.

    Examples:
        >>> jensen_shannon(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])).tolist()
        [1.0]
    """
    middle = (shares + probabilities) / 2

    def divergence(one: np.ndarray) -> np.ndarray:
        parts = np.divide(one, middle, out=np.ones_like(one), where=one > 0)
        return (one * np.log2(parts)).sum(axis=1)

    return np.clip((divergence(shares) + divergence(probabilities)) / 2, 0.0, 1.0)


def thresholded_macro_f1(shares: np.ndarray, probabilities: np.ndarray) -> float:
    """Macro-F1 over classes that are on or off, as EMO-SUPERB has it (Wu et al. 2024).

    A class is on where it has more than 1 / classes, both of the votes and of the answer; so an utterance may have
    several. The mean is over all classes; one that is never on counts 0.

    Examples:
        >>> votes = np.array([[0.5, 0.5, 0.0], [0.0, 0.2, 0.8]])
        >>> thresholded_macro_f1(votes, np.array([[0.6, 0.2, 0.2], [0.0, 0.0, 1.0]])).__round__(3)
        0.667
    """
    classes = shares.shape[1]
    # a share of exactly 1 / classes is off, whatever the last bit of a sum of floats is
    on, called = (one * classes > 1 + 1e-9 for one in (shares, probabilities))
    both = (on & called).sum(axis=0)
    either = on.sum(axis=0) + called.sum(axis=0)
    return float(np.divide(2.0 * both, either, out=np.zeros(classes), where=either > 0).mean())


def _voted(votes: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares and probabilities, float64, of the utterances that have votes; both rows are 1 in all."""
    votes, probabilities = np.asarray(votes, np.float64), np.asarray(probabilities, np.float64)
    if votes.ndim != 2 or votes.shape != probabilities.shape:
        raise ValueError("votes and probabilities must both be (utterances, classes)")
    total = votes.sum(axis=1)
    voted = total > 0  # NaN is not
    if not voted.any():
        raise ValueError("there is no utterance with votes to measure")
    answers = probabilities[voted]
    return votes[voted] / total[voted, None], answers / answers.sum(axis=1, keepdims=True)

"""Whether probabilities mean what they say, and one temperature that makes them mean it better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import log_softmax

BINS = 10
# prediction tables hold six decimals: a probability of 0 there is below this
LEAST = 5e-7
# spread of ln T before anything is seen: T is within 0.38 and 2.7 in 95 of 100 networks. With it and ALIKE the fit is
# never far worse than T = 1, and better wherever there is something to learn: benchmarks/check_confidence.py
PRIOR = 0.5
ALIKE = (
    0.07  # correlation of utterances of one speaker (0.06 to 0.08 on EmoDB): 100 of one speaker count for 13
)
_LOG_TEMPERATURES = (-5.0, 5.0)  # ten of the prior's deviations


def probabilities_of(table: pd.DataFrame, task: str, space: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and true classes of the rows of a prediction table that have the task's label.

    Args:
        table: See ``predictions.prediction_table``.
        task: For example "emotion".
        space: The classes, in order.

    Returns:
        (n, classes) probabilities and (n,) class indices.
    """
    rows = table[table[task].isin(list(space))]
    probabilities = rows[[f"{task}_p_{label}" for label in space]].to_numpy(float)
    return probabilities, rows[task].map({label: i for i, label in enumerate(space)}).to_numpy(int)


def speakers_of(
    table: pd.DataFrame, task: str, space: Sequence[str], speaker_of: Mapping[str, Any] | None
) -> list[object] | None:
    """The speaker of each row that ``probabilities_of`` keeps.

    Args:
        table: See ``predictions.prediction_table``.
        task: For example "emotion".
        space: The classes.
        speaker_of: Utterance id -> speaker, blank where unknown; None: no speaker is known at all.

    Returns:
        A speaker or None for each row; None where ``speaker_of`` is.
    """
    if speaker_of is None:
        return None
    found = [speaker_of.get(id) for id in table.loc[table[task].isin(list(space)), "id"]]
    return [None if pd.isna(one) else one for one in found]


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> pd.DataFrame:
    """The reliability curve: accuracy by confidence (Guo et al. 2017, ICML).

    Args:
        probabilities: (n, classes).
        labels: (n,) class indices.
        bins: Equally wide bins (low, high] of the confidence, which is the largest probability.

    Returns:
        A row per bin that has utterances: low, high, n, confidence (mean), accuracy; all shares 0 to 1.

    Examples:
        >>> probabilities = np.array([[0.95, 0.05], [0.93, 0.07], [0.45, 0.55]])
        >>> reliability(probabilities, np.array([0, 1, 1]))
           low  high  n  confidence  accuracy
        0  0.5   0.6  1        0.55       1.0
        1  0.9   1.0  2        0.94       0.5
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    rows = [
        {
            "low": i / bins,
            "high": (i + 1) / bins,
            "n": int((place == i).sum()),
            "confidence": float(confidence[place == i].mean()),
            "accuracy": float(right[place == i].mean()),
        }
        for i in range(bins)
        if (place == i).any()
    ]
    return pd.DataFrame(rows, columns=["low", "high", "n", "confidence", "accuracy"])


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """Mean over utterances of |accuracy - confidence| of their bin (Guo et al. 2017, eq. 3).

    It is never below 0, so a perfectly calibrated model has a positive one by chance, the larger the fewer utterances
    there are.

    Args:
        probabilities: (n, classes).
        labels: (n,) class indices.
        bins: See ``reliability``.

    Returns:
        0 to 1; NaN without utterances.

    Examples:
        >>> probabilities = np.array([[0.95, 0.05], [0.93, 0.07], [0.45, 0.55]])
        >>> round(expected_calibration_error(probabilities, np.array([0, 1, 1])), 3)
        0.443
    """
    if len(labels) == 0:
        return float("nan")
    curve = reliability(probabilities, labels, bins)
    return float(np.average((curve["accuracy"] - curve["confidence"]).abs(), weights=curve["n"]))


def utterance_nll(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Negative log likelihood of each utterance's true class, in nats.

    Args:
        probabilities: (n, classes).
        labels: (n,) class indices.

    Returns:
        (n,), at most 14.5: prediction tables have six decimals.
    """
    return -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], LEAST))


def negative_log_likelihood(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean of ``utterance_nll``; NaN without utterances.

    Examples:
        >>> round(negative_log_likelihood(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 1])), 3)
        0.49
    """
    return float(utterance_nll(probabilities, labels).mean()) if len(labels) else float("nan")


class Temperature(NamedTuple):
    """What ``fit_temperature`` found.

    Args:
        value: T; 1 where ``cause`` says why there is nothing to fit, NaN without utterances.
        evidence: Share (0 to 1) of the information on ln T that comes from the utterances; the rest is the prior's.
        cause: "" where T was fitted.
    """

    value: float
    evidence: float
    cause: str


def fit_temperature(
    probabilities: np.ndarray, labels: np.ndarray, speakers: Sequence[object] | None = None
) -> Temperature:
    """The most probable temperature T of softmax(logits / T), with the prior ln T ~ N(0, ``PRIOR``^2).

    log p is as good as the logits: they differ by a constant per utterance, which softmax drops. Fit it on validation
    predictions, never on the test part.

    The likelihood alone (Guo et al. 2017) has no maximum where every answer is right (T = 0 fits best) or where the
    answers are no better than chance (T without end), and of few utterances it says little. So the prior draws T to
    1, and utterances of one speaker, who are alike, count for less: n / (1 + (m - 1) ``ALIKE``) of them, m being the
    mean number that an utterance's speaker has (Kish 1965, design effect). Nothing is fitted where no answer is wrong
    or one label is all there is: that does not tell how sure to be.

    Args:
        probabilities: (n, classes).
        labels: (n,) class indices.
        speakers: One each, None where unknown; None: none is known.

    Examples:
        >>> random = np.random.default_rng(0)
        >>> labels = random.integers(2, size=400)
        >>> right = random.random(400) < 0.7
        >>> answers = np.where(right, labels, 1 - labels)
        >>> overconfident = np.where(np.arange(2) == answers[:, None], 0.95, 0.05)
        >>> fit_temperature(overconfident, labels).value > 2
        True
    """
    count = len(labels)
    if not count:
        return Temperature(float("nan"), 0.0, "there is no validation utterance")
    if len(np.unique(labels)) < 2:
        return Temperature(1.0, 0.0, _all(count, "has the same label", "have the same label"))
    if (probabilities.argmax(axis=1) == labels).all():
        return Temperature(1.0, 0.0, _all(count, "is answered rightly", "are answered rightly"))
    logits = np.log(np.maximum(probabilities, LEAST))
    weight = effective(count, speakers) / count

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        likelihood = scaled[np.arange(count), labels].sum()
        return float(-weight * likelihood + log_temperature**2 / (2 * PRIOR**2))

    from scipy.optimize import minimize_scalar  # slow to import, and not needed to use a model

    best: Any = minimize_scalar(loss, bounds=_LOG_TEMPERATURES, method="bounded", options={"xatol": 1e-7})
    found = float(best.x)
    # the posterior's curvature at its maximum is the likelihood's and the prior's, which is known
    step = 1e-3
    curvature = (loss(found - step) - 2 * loss(found) + loss(found + step)) / step**2
    evidence = 1 - 1 / (PRIOR**2 * max(curvature, 1 / PRIOR**2))
    return Temperature(float(np.exp(found)), float(evidence), "")


def effective(count: int, speakers: Sequence[object] | None) -> float:
    """As how many independent utterances those of these speakers count (Kish 1965, design effect).

    Args:
        count: Utterances.
        speakers: One each; a blank is a speaker of its own; None: all are of different speakers.

    Examples:
        >>> round(effective(100, ["one"] * 100), 1)
        12.6
    """
    if speakers is None:
        return float(count)
    known = pd.Series(list(speakers), dtype=object)
    sizes = known.value_counts()  # blanks left out
    of_own_speaker = float((sizes**2).sum() + known.isna().sum()) / count
    return count / (1 + (of_own_speaker - 1) * ALIKE)


def _all(count: int, one: str, many: str) -> str:
    return (
        f"the only validation utterance {one}" if count == 1 else f"all {count} validation utterances {many}"
    )


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(log p / T): the same decisions, less confident (T > 1) or more.

    Args:
        probabilities: (n, classes).
        temperature: T, above 0.

    Examples:
        >>> apply_temperature(np.array([[0.9, 0.1]]), 2.0).round(2)
        array([[0.75, 0.25]])
    """
    return np.exp(log_softmax(np.log(np.maximum(probabilities, LEAST)) / temperature, axis=1))

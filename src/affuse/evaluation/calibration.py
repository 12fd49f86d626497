"""Whether probabilities mean what they say, and one temperature that makes them mean it better."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

BINS = 10
# prediction tables hold six decimals: a probability of 0 there is below this
LEAST = 5e-7
_TEMPERATURES = (0.05, 20.0)


def probabilities_of(table: pd.DataFrame, task: str, space: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(n, classes) probabilities and (n,) class indices of the rows of a prediction table that have the label."""
    rows = table[table[task].isin(list(space))]
    probabilities = rows[[f"{task}_p_{label}" for label in space]].to_numpy(float)
    return probabilities, rows[task].map({label: i for i, label in enumerate(space)}).to_numpy(int)


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> pd.DataFrame:
    """The reliability curve: rows with utterances, by bin of the confidence: low, high, n, confidence, accuracy.

    The confidence is the largest probability; bins are equally wide, (low, high] (Guo et al. 2017, ICML).
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
    """Mean over utterances of |accuracy - confidence| of their bin, 0 to 1 (Guo et al. 2017, eq. 3).

    It is never below 0, so chance alone gives a perfectly calibrated model a positive one.
    """
    if len(labels) == 0:
        return float("nan")
    curve = reliability(probabilities, labels, bins)
    return float(np.average((curve["accuracy"] - curve["confidence"]).abs(), weights=curve["n"]))


def utterance_nll(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(n,) -ln of the true class's probability, in nats, at most 14.5."""
    return -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], LEAST))


def negative_log_likelihood(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean of ``utterance_nll``; NaN without utterances."""
    return float(utterance_nll(probabilities, labels).mean()) if len(labels) else float("nan")


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature T, 0.05 to 20, of softmax(logits / T) with the least NLL (Guo et al. 2017).

    log p is as good as the logits: they differ by a constant per utterance, which softmax drops. Fit it on
    validation predictions, never on the test part. NaN without utterances.
    """
    if len(labels) == 0:
        return float("nan")
    logits = np.log(np.maximum(probabilities, LEAST))

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(labels)), labels].mean())

    found = minimize_scalar(loss, bounds=tuple(np.log(_TEMPERATURES)), method="bounded")
    return float(np.exp(found.x))


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(log p / T): the same decisions, softer (T > 1) or sharper."""
    return np.exp(log_softmax(np.log(np.maximum(probabilities, LEAST)) / temperature, axis=1))

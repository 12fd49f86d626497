"""What a model's own confidence is worth, learnt on validation predictions: a temperature, and when to say unsure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from affuse.evaluation.calibration import apply_temperature, fit_temperature, probabilities_of


class Confidence(BaseModel):
    """Of one task. ``utterances`` of validation that it was fitted on; 0: it was not, and nothing is changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(default=1.0, gt=0)
    unsure_below: float = Field(default=0.0, ge=0, le=1, description="calibrated confidence")
    utterances: int = Field(default=0, ge=0)


def fit_confidence(validation: pd.DataFrame, task: str, space: Sequence[str]) -> Confidence:
    """Temperature scaling (Guo et al. 2017) and the threshold of ``unsure_below``, on validation predictions alone."""
    probabilities, labels = probabilities_of(validation, task, space)
    if not len(labels):
        return Confidence()
    temperature = fit_temperature(probabilities, labels)
    calibrated = apply_temperature(probabilities, temperature)
    threshold = unsure_below(calibrated.max(axis=1), calibrated.argmax(axis=1) == labels)
    return Confidence(
        temperature=round(temperature, 6), unsure_below=round(threshold, 6), utterances=len(labels)
    )


def unsure_below(confidence: np.ndarray, right: np.ndarray) -> float:
    """The largest confidence below which the answers are wrong at least as often as right; 0 if there is none.

    confidence, right: (utterances,). Below the threshold a coin would do as well as the answer, for two classes:
    a reject option (Chow 1970) whose cost is not asked for but taken as one half.
    """
    order = np.argsort(confidence, kind="stable")
    values, hits = confidence[order], np.cumsum(right[order])
    count = np.arange(1, len(values) + 1)
    distinct = np.append(values[1:] > values[:-1], True)  # equal confidences fall on one side together
    bad = np.flatnonzero(distinct & (hits * 2 <= count))
    if not len(bad):
        return 0.0
    last = int(bad[-1])
    return float((values[last] + values[last + 1]) / 2) if last + 1 < len(values) else 1.0

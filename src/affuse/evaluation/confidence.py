"""What a model's own confidence is worth, learnt on validation predictions: a temperature, and when to say unsure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from affuse.evaluation.calibration import (
    Temperature,
    apply_temperature,
    effective,
    fit_temperature,
    probabilities_of,
    speakers_of,
)

# Temperatures of older model folders, fitted without a prior between 0.05 and 20: beyond these the fit had run to where
# its likelihood is flat, and says nothing.
_BELIEVABLE = (0.15, 10.0)
_FEW = 50  # utterances of an older folder's fit, from which its temperature is taken as it is
# Validation utterances' worth of the belief that a confidence means what it says: a few wrong answers do not yet make
# all answers unsure (benchmarks/check_confidence.py).
_BELIEF = 30.0


class Confidence(BaseModel):
    """What a task's confidences are worth, and how that was found out.

    Args:
        temperature: The network's logits are divided by it.
        unsure_below: Calibrated confidence below which an answer is called unsure.
        utterances: Of the validation part.
        speakers: Of how many known speakers they are.
        wrong: How many of them are answered wrongly.
        evidence: Share (0 to 1) of the information on the temperature that comes from them, the rest being a prior's
            at 1; None: of a folder that is older than this, where no prior was used.
        cause: Why nothing was fitted; the network's own confidence then stands. "": it was fitted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(default=1.0, gt=0)
    unsure_below: float = Field(default=0.0, ge=0, le=1, description="calibrated confidence")
    utterances: int = Field(default=0, ge=0)
    speakers: int | None = Field(default=None, ge=0)
    wrong: int | None = Field(default=None, ge=0)
    evidence: float | None = Field(default=None, ge=0, le=1)
    cause: str = ""

    @model_validator(mode="before")
    @classmethod
    def _without_older_bounds(cls, data: Any) -> Any:
        """A temperature at the bounds of an older fit is not used, and its cause is told."""
        if not isinstance(data, Mapping) or data.get("evidence") is not None or data.get("cause"):
            return data
        found = data.get("temperature", 1.0)
        low, high = _BELIEVABLE
        if not isinstance(found, int | float) or low < found < high:
            return data
        cause = (
            f"an older affuse fitted the temperature {found:.3g} on {_count(data.get('utterances') or 0)}, which is "
            "where its search ended and no fit; train again for another"
        )
        return {**data, "temperature": 1.0, "unsure_below": 0.0, "cause": cause}

    @property
    def source(self) -> str:
        """'from 120 validation utterances of 4 speakers, 31 of them answered wrongly', or why it is not calibrated."""
        if self.cause or not self.utterances:
            return f"not calibrated: {self.cause or 'no validation answers are known'}"
        wrong = "" if self.wrong is None else f", {self.wrong} answered wrongly"
        return f"from {_count(self.utterances, self.speakers)}{wrong}"

    def note(self, task: str) -> str:
        """What should be known before the confidences of ``task`` are believed, or ""."""
        if self.cause or not self.utterances:
            return f"The confidences of {task} are the network's own, {self.source}."
        few = self.utterances < _FEW if self.evidence is None else self.evidence < 0.5
        if not few:
            return ""
        return f"The confidences of {task} rest on little: {self.source.removeprefix('from ')}."


def fit_confidence(
    validation: pd.DataFrame, task: str, space: Sequence[str], speaker_of: Mapping[str, Any] | None = None
) -> Confidence:
    """``fit_temperature`` and the threshold of ``unsure_below``, on validation predictions alone.

    Args:
        validation: A prediction table, see ``predictions.prediction_table``.
        task: For example "emotion".
        space: The classes, in order.
        speaker_of: Utterance id -> speaker, blank where unknown; None: none is known.
    """
    probabilities, labels = probabilities_of(validation, task, space)
    speakers = speakers_of(validation, task, space, speaker_of)
    found: Temperature = fit_temperature(probabilities, labels, speakers)
    known = len({one for one in speakers or () if one is not None}) or None
    if not len(labels):
        return Confidence(cause=found.cause, evidence=0.0)
    right = probabilities.argmax(axis=1) == labels
    threshold = 0.0
    if not found.cause:
        calibrated = apply_temperature(probabilities, found.value)
        weight = effective(len(labels), speakers) / len(labels)
        threshold = unsure_below(calibrated.max(axis=1), right, _BELIEF / weight)
    return Confidence(
        temperature=round(found.value, 6),
        unsure_below=round(threshold, 6),
        utterances=len(labels),
        speakers=known,
        wrong=int((~right).sum()),
        evidence=round(found.evidence, 4),
        cause=found.cause,
    )


def unsure_below(confidence: np.ndarray, right: np.ndarray, belief: float = 0.0) -> float:
    """The largest confidence below which the answers are wrong at least as often as right; 0 if there is none.

    Below it a coin would do as well as the answer, for two classes: a reject option (Chow 1970) whose cost is not
    asked for but taken as one half.

    Args:
        confidence: (utterances,), 0 to 1.
        right: (utterances,) booleans.
        belief: As many answers more, right as often as the confidences below the threshold say.

    Examples:
        >>> round(unsure_below(np.array([0.3, 0.4, 0.8, 0.9]), np.array([False, True, True, True])), 2)
        0.6
    """
    order = np.argsort(confidence, kind="stable")
    values, hits = confidence[order], np.cumsum(right[order])
    count = np.arange(1, len(values) + 1)
    believed = belief * (np.cumsum(values) / count)
    distinct = np.append(values[1:] > values[:-1], True)  # equal confidences fall on one side together
    bad = np.flatnonzero(distinct & ((hits + believed) * 2 <= count + belief))
    if not len(bad):
        return 0.0
    last = int(bad[-1])
    # nothing is known of answers surer than all of these
    above = values[last + 1] if last + 1 < len(values) else min(1.0, values[last] + 2e-6)
    return float((values[last] + above) / 2)


def _count(utterances: int, speakers: int | None = None) -> str:
    told = f"{utterances} validation utterance{'' if utterances == 1 else 's'}"
    return told if not speakers else f"{told} of {speakers} speaker{'' if speakers == 1 else 's'}"

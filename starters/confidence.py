"""What a starter's confidences are worth on corpora that nobody has seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from affuse.evaluation.calibration import apply_temperature, probabilities_of
from affuse.evaluation.confidence import Confidence

KEPT = 0.5  # share of what is above chance that is left on another corpus


def of_other_corpora(
    held_out: pd.DataFrame, task: str, space: Sequence[str], speakers: int | None = None
) -> Confidence:
    """Confidence for other corpora: half of what is above chance on held-out clips is lost there.

    A rule of thumb, set before any other corpus was measured; that much is lost across corpora is known (Schuller et
    al. 2010, "Cross-corpus acoustic emotion recognition: variances and strategies"), how much depends on both.
    The temperature is the one at which the mean confidence on the held-out clips is that accuracy. An answer below one
    half is then more often wrong than right, and unsure.

    Args:
        held_out: A prediction table of clips that the head was not trained on.
        task: For example "emotion".
        space: Its classes.
        speakers: Of how many speakers they are, where that is known.
    """
    probabilities, labels = probabilities_of(held_out, task, space)
    right = probabilities.argmax(axis=1) == labels
    chance = 1 / len(space)
    expected = chance + KEPT * (right.mean() - chance)

    def excess(log_temperature: float) -> float:
        return float(apply_temperature(probabilities, np.exp(log_temperature)).max(axis=1).mean() - expected)

    return Confidence(
        temperature=round(float(np.exp(brentq(excess, np.log(0.1), np.log(50)))), 6),
        unsure_below=0.5,
        utterances=len(labels),
        speakers=speakers,
        wrong=int((~right).sum()),
        evidence=1.0,
    )

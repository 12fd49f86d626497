"""How long the training clips are, and what the validation predictions teach: ``prediction.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from affuse.corpora.corpus import Utterance
from affuse.errors import ClipError
from affuse.evaluation.confidence import fit_confidence
from affuse.media.audio import probe_audio
from affuse.media.sound import Sound
from affuse.prediction_defaults import ClipSeconds, PredictionDefaults

if TYPE_CHECKING:
    from affuse.training.experiment import Experiment

_MEASURED = 500  # clips, evenly over the training part: opening every file of a large corpus takes minutes


def prediction_defaults(
    experiment: Experiment, train: Sequence[str], predictions: pd.DataFrame
) -> PredictionDefaults:
    """Lengths of the training utterances ``train``; temperature and threshold of each task from the rows of
    ``predictions`` whose role is validation."""
    ids = set(list(train)[:: max(1, len(train) // _MEASURED)])
    known = [clip_seconds(one) for one in experiment.corpus.utterances() if one.id in ids]
    seconds = [value for value in known if value is not None]
    lengths = None
    if seconds:
        low, median, high = (round(float(value), 3) for value in np.percentile(seconds, [5, 50, 95]))
        lengths = ClipSeconds(median=median, low=low, high=high)
    validation = predictions[predictions["role"] == "validation"]
    confidence = {
        task: fit_confidence(validation, task, space) for task, space in experiment.labelled.spaces.items()
    }
    return PredictionDefaults(clip_seconds=lengths, confidence=confidence)


def clip_seconds(utterance: Utterance) -> float | None:
    """By the row's times, else by the file's headers; None where neither says."""
    for kind in ("audio", "video"):
        path = getattr(utterance, kind)
        if path is None or isinstance(path, Sound):
            continue
        start, end = utterance.span(kind)
        if end is None:
            try:
                end = probe_audio(path).seconds
            except ClipError:
                continue
        if end is not None and end > (start or 0.0):
            return end - (start or 0.0)
    return None

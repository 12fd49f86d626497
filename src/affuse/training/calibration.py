"""How long the training clips are, what the validation predictions teach, what was seen: ``prediction.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from affuse.corpora.corpus import Utterance
from affuse.corpora.durations import seconds_of
from affuse.corpora.trim import speech_of
from affuse.errors import AffuseError, ClipError
from affuse.evaluation.confidence import fit_confidence
from affuse.models.defaults import ClipSeconds, PredictionDefaults
from affuse.training.seen import remember

if TYPE_CHECKING:
    from affuse.training.experiment import Experiment

# clips, evenly over the training part: opening every file of a large corpus takes minutes
_MEASURED = 500
_LISTENED = 50


def prediction_defaults(
    experiment: Experiment, roles: Mapping[str, Sequence[str]], predictions: pd.DataFrame
) -> PredictionDefaults:
    """Lengths of the training utterances; temperature and threshold of each task from the rows of ``predictions``
    whose role is validation; digests of all utterances of ``roles`` (role -> ids)."""
    wanted = set(_evenly(roles["train"], _MEASURED))
    clips = [one for one in experiment.corpus.utterances() if one.id in wanted]
    known = {one.id: value for one in clips if (value := _clip_seconds(one)) is not None}
    lengths = None
    if known:
        low, median, high = (round(float(v), 3) for v in np.percentile(list(known.values()), [5, 50, 95]))
        heard = [one for one in clips if one.id in set(_evenly([one.id for one in clips], _LISTENED))]
        silence = _silence(heard, known)
        lengths = ClipSeconds(median=median, low=low, high=high, silence=silence)
    validation = predictions[predictions["role"] == "validation"]
    table = experiment.labelled.table
    speaker_of = dict(zip(table["id"], table["speaker"], strict=True))
    confidence = {
        task: fit_confidence(validation, task, space, speaker_of)
        for task, space in experiment.labelled.spaces.items()
    }
    seen = remember(experiment.corpus, roles)
    return PredictionDefaults(clip_seconds=lengths, confidence=confidence, seen=seen)


def _silence(clips: Sequence[Utterance], seconds: Mapping[str, float]) -> float | None:
    """Median seconds of a clip that lie before its first speech or after its last."""
    found = []
    for one in clips:
        try:
            span = speech_of(one) if one.id in seconds else None
        except ClipError:  # silent, say: it has no speech to be before or after
            continue
        except AffuseError:  # no detector is installed; training does not depend on it
            return None
        if span is not None:
            found.append(max(0.0, seconds[one.id] - (span.end - span.start)))
    return round(float(np.median(found)), 3) if found else None


def _evenly(ids: Sequence[str], count: int) -> list[str]:
    return list(ids)[:: max(1, -(-len(ids) // count))]


def _clip_seconds(utterance: Utterance) -> float | None:
    """Of its sound, else of its video; None where neither has a length."""
    lengths = (seconds_of(utterance, "audio"), seconds_of(utterance, "video"))
    return next((seconds for seconds in lengths if seconds is not None and seconds > 0), None)

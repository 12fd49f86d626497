"""What a model keeps of its training for predictions: confidences, bands, clip lengths, the clips it has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from affuse.evaluation.bands import Band, fit_band
from affuse.evaluation.confidence import Confidence, fit_confidence
from affuse.evaluation.label_sets import EVEN, fit_thresholds
from affuse.losses.base import known
from affuse.models.defaults import PredictionDefaults, TrainedOn
from affuse.training.clip_seconds import clip_seconds
from affuse.training.seen import remember

if TYPE_CHECKING:
    from affuse.corpora.schema import CorpusInfo
    from affuse.models.network import Model
    from affuse.training.data import Clips
    from affuse.training.experiment import Experiment
    from affuse.training.prediction import Answers


def prediction_defaults(
    experiment: Experiment, roles: Mapping[str, Sequence[str]], predictions: pd.DataFrame
) -> PredictionDefaults:
    """Fill in ``prediction.json`` of the model folder.

    Args:
        experiment: That the model was trained in.
        roles: Role -> ids of the run's fold.
        predictions: Of validation and test part.
    """
    train, known = frozenset(roles["train"]), experiment.clip_seconds
    if train not in known:
        known[train] = clip_seconds([one for one in experiment.corpus.utterances() if one.id in train])
    return PredictionDefaults(
        clip_seconds=known[train],
        confidence=calibrate(experiment, predictions),
        bands=fit_bands(experiment, predictions),
        seen=remember(experiment.corpus, roles, experiment.marks),
        trained_on=trained_on(experiment.corpus.info),
    )


def fitted_thresholds(model: Model, validation: Clips, answers: Answers) -> dict[str, dict[str, float]]:
    """Task of several labels -> label -> threshold, fitted on the validation part where it has known labels."""
    found: dict[str, dict[str, float]] = {}
    for task, names in model.label_sets.items():
        truth = validation.labels[task]
        if bool(known(truth, 1).any()):
            fitted = thresholds_of(truth.numpy(), answers.label_probabilities[task], names)
            found[task] = dict(zip(names, fitted, strict=True))
    return found


def thresholds_of(
    truth: np.ndarray | None, probabilities: np.ndarray | None, names: Sequence[str]
) -> list[float]:
    """Thresholds of one task, fitted on the utterances whose labels are known; 0.5 where there are none.

    Args:
        truth: (utterances, labels) of 0 and 1, NaN where blank; None: there is no validation part.
        probabilities: (utterances, labels).
        names: Of the labels.
    """
    if truth is None or probabilities is None or not (there := ~np.isnan(truth).any(axis=1)).any():
        return [EVEN] * len(names)
    return fit_thresholds(truth[there], probabilities[there])


def trained_on(info: CorpusInfo) -> list[TrainedOn]:
    """What a model folder says of its training corpus's licence."""
    return [TrainedOn(title=info.title, licence=info.licence)]


def calibrate(experiment: Experiment, predictions: pd.DataFrame) -> dict[str, Confidence]:
    """Task -> temperature of its probabilities and confidence below which it is unsure, fitted on the validation part.

    Guo, Pleiss, Sun and Weinberger 2017, "On calibration of modern neural networks", section 4.2; see
    ``evaluation.confidence`` for what is done on few utterances.
    """
    validation = predictions[predictions["role"] == "validation"]
    speaker_of = _speakers(experiment)
    return {
        task: fit_confidence(validation, task, space, speaker_of)
        for task, space in experiment.labelled.spaces.items()
    }


def fit_bands(experiment: Experiment, predictions: pd.DataFrame) -> dict[str, Band]:
    """Regression -> the band of its answers, fitted on the validation part; see ``evaluation.bands``."""
    validation = predictions[predictions["role"] == "validation"]
    speaker_of = _speakers(experiment)
    return {task: fit_band(validation, task, speaker_of) for task in experiment.labelled.ratings}


def _speakers(experiment: Experiment) -> dict[str, Any]:
    """Utterance id -> speaker, blank where unknown."""
    table = experiment.labelled.table
    return dict(zip(table["id"], table["speaker"], strict=True))

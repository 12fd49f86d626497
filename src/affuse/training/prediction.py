"""A trained model on one part of an experiment: probabilities, embeddings, and the prediction table made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import pandas as pd

from affuse.evaluation.label_sets import EVEN, SetAnswers
from affuse.evaluation.predictions import prediction_table
from affuse.models.running import run_batches
from affuse.training.data import Clips, batches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from affuse.models.network import Model
    from affuse.recipe.dimension import Dimension


class Classifier(Protocol):
    """What classifies embeddings in the network's place (sklearn's ``SVC``, once fitted)."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        """(utterances, width) -> (utterances,) class indices."""
        ...


class Answers(NamedTuple):
    """Of every utterance of a part, in the part's order.

    probabilities: task -> (utterances, classes) float64.
    values: regression -> (utterances,) float64, within its range.
    label_probabilities: task of several labels -> (utterances, labels) float64.
    embedding: (utterances, width) float32.
    """

    probabilities: dict[str, np.ndarray]
    values: dict[str, np.ndarray]
    label_probabilities: dict[str, np.ndarray]
    embedding: np.ndarray

    @property
    def numbers(self) -> list[np.ndarray]:
        """What was answered, of all tasks."""
        return [*self.probabilities.values(), *self.values.values(), *self.label_probabilities.values()]


def answer(model: Model, clips: Clips, batch_size: int, device: str = "cpu") -> Answers:
    """Run the model over a part, in batches of like lengths.

    Args:
        model: in evaluation mode afterwards.
        clips: the part; it may not be empty.
        batch_size: which changes speed and not one digit that is written.
        device: cpu or cuda.
    """
    probabilities = {task: np.zeros((len(clips), len(space))) for task, space in model.label_spaces.items()}
    values = {
        task: np.full(len(clips), dimension.from_unit(0.0)) for task, dimension in model.dimensions.items()
    }
    several = {task: np.full((len(clips), len(labels)), EVEN) for task, labels in model.label_sets.items()}
    embedding = np.zeros((0, 0), np.float32)
    for batch, output in run_batches(model, batches(clips, batch_size), device):
        if output is None:
            continue
        rows = batch.index.numpy()
        for task, logits in output.logits.items():
            probabilities[task][rows] = logits.double().softmax(dim=1).cpu().numpy()
        for task, told in output.values.items():
            values[task][rows] = answered(told, model.dimensions[task])
        for task, logits in output.label_logits.items():
            several[task][rows] = logits.double().sigmoid().cpu().numpy()
        found = output.embedding.float().cpu().numpy()
        if not len(embedding):
            embedding = np.zeros((len(clips), found.shape[1]), np.float32)
        embedding[rows] = found
    return Answers(probabilities, values, several, embedding)


def answered(outputs: Tensor, dimension: Dimension) -> np.ndarray:
    """A network's values as ratings: (n,) in units of half the range -> (n,) float64, clipped to the range."""
    return dimension.answers(outputs.double().cpu().numpy())


def predict_table(
    model: Model,
    clips: Clips,
    role: str,
    fold: int,
    batch_size: int,
    device: str = "cpu",
) -> pd.DataFrame:
    """The prediction table of one part, in its order; see ``evaluation.predictions``."""
    return table_of(model, answer(model, clips, batch_size, device), clips, role, fold)


def table_of(
    model: Model,
    answers: Answers,
    clips: Clips,
    role: str,
    fold: int,
    svms: Mapping[str, Classifier] | None = None,
) -> pd.DataFrame:
    """Answers as a prediction table, in the part's order.

    Args:
        model: what answered.
        answers: of ``clips``.
        clips: the part, with its labels.
        role: train, validation or test.
        fold: of the split.
        svms: task -> what classifies its embeddings in the network's place. A support vector machine gives no
            probabilities: the class that it calls has 1.
    """
    probabilities = dict(answers.probabilities)
    for task, svm in (svms or {}).items():
        called = svm.predict(answers.embedding.astype(np.float64))
        probabilities[task] = np.zeros_like(probabilities[task])
        probabilities[task][np.arange(len(called)), called] = 1.0
    labels = {task: codes.numpy() for task, codes in clips.labels.items()}
    ratings = {
        task: (dimension.from_unit(labels[task].astype(np.float64)), answers.values[task])
        for task, dimension in model.dimensions.items()
    }
    sets = sets_of(model, labels, answers.label_probabilities)
    shares = {task: rows.numpy() for task, rows in clips.shares.items()}
    return prediction_table(
        clips.ids, role, fold, probabilities, labels, model.label_spaces, ratings, sets, shares
    )


def sets_of(
    model: Model, labels: Mapping[str, np.ndarray], probabilities: Mapping[str, np.ndarray]
) -> dict[str, SetAnswers]:
    """The tasks of several labels, told with the model's thresholds.

    Args:
        model: what answered.
        labels: task -> (utterances, labels) of 0 and 1, NaN where blank.
        probabilities: task -> (utterances, labels).
    """
    return {
        task: SetAnswers(names, labels[task], probabilities[task], model.defaults.thresholds_of(task, names))
        for task, names in model.label_sets.items()
    }

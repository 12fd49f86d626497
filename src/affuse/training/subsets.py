"""What a trained model answers from every subset of its modalities, in one pass over the test part."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from affuse.evaluation.label_sets import EVEN
from affuse.evaluation.predictions import prediction_table
from affuse.models.network import Model
from affuse.models.running import run_batches_with
from affuse.sequence import FeatureSequence
from affuse.training.data import Clips, batches
from affuse.training.prediction import answered, sets_of


def subsets_of(modalities: Sequence[str]) -> list[tuple[str, ...]]:
    """Every subset but the empty one, small ones first, each in the order given.

    Examples:
        >>> subsets_of(["audio", "text"])
        [('audio',), ('text',), ('audio', 'text')]
    """
    return [subset for size in range(1, len(modalities) + 1) for subset in combinations(modalities, size)]


def predict_subsets(
    model: Model, clips: Clips, role: str, fold: int, batch_size: int, device: str = "cpu"
) -> pd.DataFrame:
    """A prediction table per subset, one after another; the first column, ``modalities``, names it ("audio+text").

    Clips are read, and trained encoders run, once for all subsets. An utterance that has none of a subset's
    modalities is left out of its table: nothing was there to answer from.
    """
    subsets = subsets_of(list(model.recipe.modalities))
    there = np.zeros((len(subsets), len(clips)), dtype=bool)
    probabilities = [
        {task: np.zeros((len(clips), len(space))) for task, space in model.label_spaces.items()}
        for _ in subsets
    ]
    values = [
        {task: np.full(len(clips), dimension.from_unit(0.0)) for task, dimension in model.dimensions.items()}
        for _ in subsets
    ]
    several = [
        {task: np.full((len(clips), len(labels)), EVEN) for task, labels in model.label_sets.items()}
        for _ in subsets
    ]

    def from_subsets(given: dict[str, FeatureSequence]) -> list[_FromSubset]:
        return _from_subsets(model, given, subsets)

    for batch, answers in run_batches_with(from_subsets, model, batches(clips, batch_size), device):
        rows = batch.index.numpy()
        for i, one in enumerate(answers or ()):
            there[i, rows] = one.present.cpu().numpy()
            for task, logits in one.logits.items():
                probabilities[i][task][rows] = logits.double().softmax(dim=1).cpu().numpy()
            for task, outputs in one.values.items():
                values[i][task][rows] = answered(outputs, model.dimensions[task])
            for task, logits in one.label_logits.items():
                several[i][task][rows] = logits.double().sigmoid().cpu().numpy()
    labels = {task: codes.numpy() for task, codes in clips.labels.items()}
    tables: list[pd.DataFrame] = []
    for i, subset in enumerate(subsets):
        ratings = {
            task: (dimension.from_unit(labels[task].astype(np.float64)), values[i][task])
            for task, dimension in model.dimensions.items()
        }
        sets = sets_of(model, labels, several[i])
        table = prediction_table(
            clips.ids, role, fold, probabilities[i], labels, model.label_spaces, ratings, sets
        )
        table.insert(0, "modalities", "+".join(subset))
        tables.append(table[there[i]])
    return pd.concat(tables, ignore_index=True)


class _FromSubset(NamedTuple):
    """present: (batch,) whether the clip has anything of the subset; logits: task -> (batch, classes).

    values: regression -> (batch,) in units of half its range.
    label_logits: task of several labels -> (batch, labels).
    """

    present: Tensor
    logits: dict[str, Tensor]
    values: dict[str, Tensor]
    label_logits: dict[str, Tensor]


def _from_subsets(
    model: Model, clips: dict[str, FeatureSequence], subsets: Sequence[tuple[str, ...]]
) -> list[_FromSubset]:
    """The answers from each subset, the other modalities masked."""
    sequences = model.encode(clips)
    count = len(next(iter(clips.values())).mask)
    none = torch.zeros(count, dtype=torch.bool, device=next(iter(clips.values())).mask.device)
    found: list[_FromSubset] = []
    for subset in subsets:
        kept = {name: s if name in subset else s.keep(none) for name, s in sequences.items()}
        present = torch.stack([s.present for s in kept.values()]).any(dim=0)
        output = model.fuse(kept)
        found.append(_FromSubset(present, output.logits, output.values, output.label_logits))
    return found

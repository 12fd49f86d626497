"""What a trained model answers from every subset of its modalities, in one pass over the test part."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import torch

from affuse.evaluation.predictions import prediction_table
from affuse.models.network import Model
from affuse.training.data import Clips, batches


def subsets_of(modalities: Sequence[str]) -> list[tuple[str, ...]]:
    """Every subset but the empty one, small ones first, each in the order given."""
    return [subset for size in range(1, len(modalities) + 1) for subset in combinations(modalities, size)]


def predict_subsets(
    model: Model, clips: Clips, role: str, fold: int, batch_size: int, device: str = "cpu"
) -> pd.DataFrame:
    """A prediction table per subset, one after another; the first column, ``modalities``, names it ("audio+text").

    Clips are read, and trained encoders run, once for all subsets. An utterance that has none of a subset's
    modalities is left out of its table: nothing was there to answer from.
    """
    model.eval().to(device)
    subsets = subsets_of(list(model.recipe.modalities))
    answered = np.zeros((len(subsets), len(clips)), dtype=bool)
    probabilities = [
        {task: np.zeros((len(clips), len(space))) for task, space in model.label_spaces.items()}
        for _ in subsets
    ]
    with torch.inference_mode():
        for batch in batches(clips, batch_size):
            rows = batch.index.numpy()
            sequences = model.encode({name: clip.to(device) for name, clip in batch.clips.items()})
            none = torch.zeros(len(rows), dtype=torch.bool, device=device)
            for i, subset in enumerate(subsets):
                kept = {n: s if n in subset else s.keep(none) for n, s in sequences.items()}
                answered[i, rows] = torch.stack([s.present for s in kept.values()]).any(dim=0).cpu().numpy()
                for task, logits in model.fuse(kept).logits.items():
                    probabilities[i][task][rows] = logits.double().softmax(dim=1).cpu().numpy()
    labels = {task: codes.numpy() for task, codes in clips.labels.items()}
    tables = []
    for i, subset in enumerate(subsets):
        table = prediction_table(clips.ids, role, fold, probabilities[i], labels, model.label_spaces)
        table.insert(0, "modalities", "+".join(subset))
        tables.append(table[answered[i]])
    return pd.concat(tables, ignore_index=True)

"""What the stacked network takes of a batch: pooled features where the fusion pools, else padded sequences.

Shapes: s runs, b batch, t steps, w width, n utterances.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor

from affuse.fusion.pooling import Pooled, PooledFusion
from affuse.models.layers import Standardiser
from affuse.models.network import Model
from affuse.sequence import FeatureSequence
from affuse.training.stacked.features import Features
from affuse.training.stacked.network import Inputs

CHUNK = 64  # utterances of like lengths that are pooled at once


class StackInputs(ABC):
    """Batches of several runs."""

    @abstractmethod
    def batch(self, index: Tensor, kept: Mapping[str, Tensor] | None = None) -> Inputs:
        """What the network takes.

        Args:
            index: (s, b) numbers of utterances.
            kept: Modality -> (s, b) False where modality dropout takes it away.
        """

    @abstractmethod
    def present(self) -> dict[str, Tensor]:
        """Modality -> (n,) whether an utterance has it."""


class PooledInputs(StackInputs):
    """Each utterance's pooled features, standardised by each run's own training part.

    Args:
        tables: Per run, modality -> every utterance pooled (``pooled_table``). Runs of one fold share theirs.
    """

    def __init__(self, tables: Sequence[Mapping[str, Pooled]]) -> None:
        self.tables = list(tables)

    def batch(self, index: Tensor, kept: Mapping[str, Tensor] | None = None) -> dict[str, Pooled]:
        """See ``StackInputs``."""
        found: dict[str, Pooled] = {}
        for name, first in self.tables[0].items():
            present = first.present[index]
            values = self._gather(name, index)
            if kept is not None and name in kept:
                present = present & kept[name]
                values = values * kept[name][..., None]
            found[name] = Pooled(values, present)
        return found

    def _gather(self, name: str, index_sb: Tensor) -> Tensor:
        tables = [one[name].values for one in self.tables]
        if all(table is tables[0] for table in tables):
            return tables[0].index_select(0, index_sb.flatten()).unflatten(0, index_sb.shape).float()
        values_sbw = tables[0].new_empty(*index_sb.shape, tables[0].shape[1])
        for table, index_b, values_bw in zip(tables, index_sb, values_sbw, strict=True):
            torch.index_select(table, 0, index_b, out=values_bw)
        return values_sbw.float()

    def present(self) -> dict[str, Tensor]:
        """See ``StackInputs``."""
        return {name: one.present for name, one in self.tables[0].items()}


class SequenceInputs(StackInputs):
    """Padded sequences, standardised as they are gathered.

    Args:
        features: Of the grid.
        standardisers: Per run, modality -> its standardiser.
    """

    def __init__(
        self,
        features: Features,
        standardisers: Sequence[Mapping[str, Standardiser]],
        device: torch.device | str,
    ) -> None:
        self.features = features
        self.scales = {
            name: (
                torch.stack([one[name].mean for one in standardisers]).to(device),
                torch.stack([one[name].deviation for one in standardisers]).to(device),
            )
            for name in standardisers[0]
        }

    def batch(self, index: Tensor, kept: Mapping[str, Tensor] | None = None) -> dict[str, FeatureSequence]:
        """See ``StackInputs``."""
        found: dict[str, FeatureSequence] = {}
        for name, packed in self.features.packed.items():
            sequence = packed.rows(index)
            if name in self.scales:
                mean, deviation = (_as_steps(one, sequence.values) for one in self.scales[name])
                mask = sequence.mask[(...,) + (None,) * (sequence.values.dim() - sequence.mask.dim())]
                sequence = FeatureSequence((sequence.values - mean) / deviation * mask, sequence.mask)
            if kept is not None and name in kept:
                sequence = sequence.keep(kept[name])
            found[name] = sequence
        return found

    def present(self) -> dict[str, Tensor]:
        """See ``StackInputs``."""
        return {name: packed.lengths > 0 for name, packed in self.features.packed.items()}


def _as_steps(statistics: Tensor, values: Tensor) -> Tensor:
    """(s, ...) of a step -> (s, 1, 1, ...) beside (s, b, t, ...)."""
    runs, *shape = statistics.shape
    return statistics.reshape(runs, *[1] * (values.dim() - 1 - len(shape)), *shape)


def pooled_table(model: Model, features: Features) -> dict[str, Pooled]:
    """Modality -> every utterance standardised and pooled as the model does it, (n, w).

    Args:
        model: Its standardisers are fitted.
        features: Of the grid.
    """
    fusion = model.fusion
    assert isinstance(fusion, PooledFusion)
    device = next(iter(features.packed.values())).steps.device
    # copies: the model's own stay where its weights are
    standardisers = {name: deepcopy(one).to(device) for name, one in model.standardisers.items()}
    order = torch.from_numpy(np.argsort(features.lengths, kind="stable")).to(device)
    parts: dict[str, list[Pooled]] = {name: [] for name in fusion.pooling}
    with torch.no_grad():
        for chunk in order.split(CHUNK):
            sequences = {name: packed.rows(chunk) for name, packed in features.packed.items()}
            for name, standardiser in standardisers.items():
                sequences[name] = standardiser(sequences[name])
            for name, pooled in fusion.pool(sequences).items():
                parts[name].append(pooled)
    back = order.argsort()
    return {
        name: Pooled(*(torch.cat(column)[back] for column in zip(*found, strict=True)))
        for name, found in parts.items()
    }

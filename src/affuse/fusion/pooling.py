"""Masked pooling of a feature sequence over time, and the fusions that begin with it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from affuse.fusion.base import Fusion, Opinions
from affuse.sequence import FeatureSequence

Pooling = Literal["mean", "sum", "first", "mean_std"]


class Pooled(NamedTuple):
    """A modality of a batch, pooled over time.

    Attributes:
        values: (batch, width), 0 where the modality is missing; of a stack (runs, batch, width).
        present: (batch,) bool.
    """

    values: Tensor
    present: Tensor


class PooledFusion(Fusion):
    """A fusion that pools every modality over time before anything is learnt.

    Where encoders are frozen, what is pooled never changes: training pools every utterance once (``training.stacked``).

    Attributes:
        pooling: Modality -> how its steps are pooled.
    """

    pooling: dict[str, Pooling]

    def pool(self, sequences: Mapping[str, FeatureSequence]) -> dict[str, Pooled]:
        """Every modality pooled; nothing here is learnt."""
        return {
            name: Pooled(pool(sequences[name], how), sequences[name].present)
            for name, how in self.pooling.items()
        }

    @abstractmethod
    def join(self, pooled: Mapping[str, Pooled]) -> Opinions:
        """From the pooled modalities to what the heads read."""

    @override
    def opinions(self, sequences: Mapping[str, FeatureSequence]) -> Opinions:
        return self.join(self.pool(sequences))

    @override
    def forward(self, sequences: Mapping[str, FeatureSequence]) -> Tensor:
        return self.opinions(sequences).embedding()


def pool(sequence: FeatureSequence, how: Pooling) -> Tensor:
    """(..., time, width) -> (..., width), or twice as wide for "mean_std"; a missing modality gives 0."""
    values, mask = sequence
    mask = mask[..., None]
    if how == "first":  # the first real step: joined sequences may begin with a missing modality
        first = sequence.mask.to(torch.uint8).argmax(dim=-1)
        index = first[..., None, None].expand(*first.shape, 1, values.shape[-1])
        return values.gather(-2, index).squeeze(-2) * sequence.present[..., None]
    total = (values * mask).sum(dim=-2)
    if how == "sum":
        return total
    steps = mask.sum(dim=-2).clamp(min=1)
    mean = total / steps
    if how == "mean":
        return mean
    variance = ((values - mean[..., None, :]).square() * mask).sum(dim=-2) / steps
    # sqrt has an infinite slope at 0, where a clip of one step lies
    return torch.cat([mean, torch.where(variance > 0, variance.clamp(min=1e-12).sqrt(), 0.0)], dim=-1)


def pooled_width(width: int, how: Pooling) -> int:
    """Width after ``pool``."""
    return 2 * width if how == "mean_std" else width

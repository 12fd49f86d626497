"""The features of a whole grid, once in memory.

Shapes: n utterances, t steps, s runs, b batch, w width of a step (or several dimensions).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from affuse.sequence import FeatureSequence
from affuse.training.features import Source


@dataclass
class Packed:
    """One modality: the steps of all utterances one after another, and a last step of zeros that stands for padding.

    Args:
        steps: (sum of lengths + 1, ...).
        starts: (n,) int64, where each utterance begins.
        lengths: (n,) int64; 0 where the modality is missing.
    """

    steps: Tensor
    starts: Tensor
    lengths: Tensor

    def rows(self, index: Tensor) -> FeatureSequence:
        """Utterances as a padded batch.

        Args:
            index: (...,) int64, their numbers, one or several dimensions, on the device of the steps.

        Returns:
            (..., t, w) float32 with its mask, t being the longest of them, 1 at least.
        """
        index = index.to(self.steps.device)
        lengths = self.lengths[index]
        places = torch.arange(max(1, int(lengths.max())), device=index.device)
        mask = places < lengths[..., None]
        where = torch.where(mask, self.starts[index][..., None] + places, len(self.steps) - 1)
        values = self.steps.index_select(0, where.flatten()).unflatten(0, where.shape)
        return FeatureSequence(values.float(), mask)


@dataclass
class Features:
    """What the frozen encoders made of every utterance, by modality.

    Args:
        ids: The utterances, in the order of all rows here.
        packed: Modality -> steps.
    """

    ids: list[str]
    packed: dict[str, Packed]

    @classmethod
    def load(
        cls,
        sources: Mapping[str, Source],
        ids: Sequence[str],
        precision: str = "float32",
        device: str = "cpu",
    ) -> Features:
        """Read every clip of ``ids`` once, into one tensor per modality of "float32" or "bfloat16"."""
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        packed: dict[str, Packed] = {}
        for name, source in sources.items():
            clips = [source.load(id) for id in ids]
            lengths = torch.tensor([0 if clip is None else len(clip) for clip in clips])
            first = next((clip for clip in clips if clip is not None), torch.zeros(0, 1))
            steps = torch.zeros(int(lengths.sum()) + 1, *first.shape[1:], dtype=dtype)
            starts = lengths.cumsum(0) - lengths
            for clip, start in zip(clips, starts.tolist(), strict=True):
                if clip is not None:
                    steps[start : start + len(clip)] = clip
            packed[name] = Packed(steps.to(device), starts.to(device), lengths.to(device))
        return cls(list(ids), packed)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Id -> its row."""
        return {id: number for number, id in enumerate(self.ids)}

    @cached_property
    def lengths(self) -> np.ndarray:
        """(n,) steps of all modalities together: what a batch pads."""
        return sum(one.lengths for one in self.packed.values()).cpu().numpy()  # type: ignore[union-attr]

    def sources(self) -> dict[str, Source]:
        """Modality -> the same clips by id."""
        return {name: _InMemory(self, one) for name, one in self.packed.items()}


@dataclass
class _InMemory:
    """See ``Source``."""

    features: Features
    packed: Packed

    @property
    def ids(self) -> list[str]:
        return self.features.ids

    def load(self, id: str) -> Tensor | None:
        number = self.features.numbers[id]
        length, start = int(self.packed.lengths[number]), int(self.packed.starts[number])
        return self.packed.steps[start : start + length].float().cpu() if length else None

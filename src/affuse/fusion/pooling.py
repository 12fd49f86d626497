"""Masked pooling of a feature sequence over time."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from affuse.sequence import FeatureSequence

Pooling = Literal["mean", "sum", "first", "mean_std"]


def pool(sequence: FeatureSequence, how: Pooling) -> Tensor:
    """(batch, time, width) -> (batch, width), or twice as wide for "mean_std"; a missing modality gives 0."""
    values, mask = sequence
    mask = mask[:, :, None]
    if how == "first":  # the first real step: joined sequences may begin with a missing modality
        first = sequence.mask.to(torch.uint8).argmax(dim=1)
        return values[torch.arange(values.shape[0], device=values.device), first] * sequence.present[:, None]
    total = (values * mask).sum(dim=1)
    if how == "sum":
        return total
    steps = mask.sum(dim=1).clamp(min=1)
    mean = total / steps
    if how == "mean":
        return mean
    variance = ((values - mean[:, None]).square() * mask).sum(dim=1) / steps
    # sqrt has an infinite slope at 0, where a clip of one step lies
    return torch.cat([mean, torch.where(variance > 0, variance.clamp(min=1e-12).sqrt(), 0.0)], dim=-1)


def pooled_width(width: int, how: Pooling) -> int:
    """Width after ``pool``."""
    return 2 * width if how == "mean_std" else width

"""A learnt mix of an encoder's layers (SUPERB, Yang et al. 2021)."""

from __future__ import annotations

import torch
from torch import nn

from affuse.sequence import FeatureSequence


class LayerMix(nn.Module):
    """sum_l softmax(weights)_l * layer_l; equal shares at the start."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(layers))

    def forward(self, sequence: FeatureSequence) -> FeatureSequence:
        """(batch, time, layers, width) -> (batch, time, width)."""
        mixed = torch.einsum("l,btlw->btw", self.weights.softmax(dim=0), sequence.values)
        return FeatureSequence(mixed, sequence.mask)

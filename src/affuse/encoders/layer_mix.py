"""A learnt mix of an encoder's layers (SUPERB, Yang et al. 2021)."""

from __future__ import annotations

import torch
from torch import nn

from affuse.sequence import FeatureSequence


class LayerMix(nn.Module):
    """A learnt mix of layers: sum_l softmax(weights)_l * layer_l; equal shares at the start.

    Args:
        layers: How many.

    Examples:
        >>> sequence = FeatureSequence(torch.ones(1, 5, 3, 8), torch.ones(1, 5, dtype=torch.bool))
        >>> LayerMix(3)(sequence).values.shape
        torch.Size([1, 5, 8])
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(layers))

    def forward(self, sequence: FeatureSequence) -> FeatureSequence:
        """(batch, time, layers, width) -> (batch, time, width); of a stack (runs, ...)."""
        shares = self.weights.softmax(dim=-1)
        equation = "l,btlw->btw" if shares.dim() == 1 else "sl,sbtlw->sbtw"
        mixed = torch.einsum(equation, shares, sequence.values)
        return FeatureSequence(mixed, sequence.mask)

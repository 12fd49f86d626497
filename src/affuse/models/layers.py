"""Small layers of the network: features on a common scale before the fusion, a classifier after it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from affuse.layers import Dropout, Linear
from affuse.recipe import Head
from affuse.sequence import FeatureSequence


class Standardiser(nn.Module):
    """Scale features: (x - mean) / deviation, with statistics of the training part; identity until fitted."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))

    def fit(self, mean: Tensor, deviation: Tensor) -> None:
        """Take the statistics, (width,) each; a feature that never varies is only shifted."""
        self.mean = mean
        self.deviation = torch.where(deviation > 1e-8, deviation, 1.0)

    def forward(self, sequence: FeatureSequence) -> FeatureSequence:
        """(batch, time, ..., width) -> the same; padding stays 0."""
        mask = sequence.mask.reshape(*sequence.mask.shape, *[1] * (sequence.values.dim() - 2))
        return FeatureSequence((sequence.values - self.mean) / self.deviation * mask, sequence.mask)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:  # type: ignore[override]
        for name in ("mean", "deviation"):  # statistics have the shape of the features they were fitted on
            if prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name]))
        super()._load_from_state_dict(state_dict, prefix, *args)


class TaskHead(nn.Sequential):
    """A classifier: dropout -> [Linear -> activation] -> Linear.

    Args:
        width: Of the embedding.
        classes: How many logits.
        head: The recipe's section.
    """

    def __init__(self, width: int, classes: int, head: Head) -> None:
        layers: list[nn.Module] = [Dropout(head.dropout)]
        if head.hidden is not None:
            layers.append(Linear(width, head.hidden))
            width = head.hidden
            if head.activation != "none":
                layers.append(nn.LeakyReLU() if head.activation == "leaky_relu" else nn.ReLU())
        super().__init__(*layers, Linear(width, classes))

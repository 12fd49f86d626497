"""The hidden states that a recipe asks of a transformers encoder."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

Layer = int | Literal["mix"]


def hidden_states(output: Any, layer: Layer) -> Tensor:
    """(batch, steps, width) of one layer (-1: the last, 0: the first's input); "mix": (batch, steps, layers, width)."""
    if layer == "mix":
        return torch.stack(output.hidden_states, dim=2)
    return output.last_hidden_state if layer == -1 else output.hidden_states[layer]

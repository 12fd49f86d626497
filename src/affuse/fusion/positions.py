"""Positions of steps as sines and cosines."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinusoids(steps: int, width: int, like: Tensor) -> Tensor:
    """(steps, width) of ``like``'s type and device (Vaswani et al. 2017, section 3.5).

    PE(t, 2i) = sin(t / 10000^(2i / width)), PE(t, 2i + 1) = cos of the same; an odd width ends in a sine.
    """
    even = torch.arange(0, width, 2, device=like.device, dtype=torch.float32)
    time = torch.arange(steps, device=like.device, dtype=torch.float32)
    angle = time[:, None] * torch.exp(-math.log(10_000.0) / width * even)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :width].to(like.dtype)

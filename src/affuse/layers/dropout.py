"""Dropout whose draws belong to a run, whatever the run is stacked with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class Dropout(nn.Module):
    """As ``torch.nn.Dropout``; in a stack every run has a rate and a random stream of its own.

    Args:
        p: The share of values that are set to 0 in training; the others are divided by 1 - p.

    Attributes:
        streams: Of the stack's runs; None: one network, which draws from torch's random state.
        rates: A rate per run of the stack.

    Examples:
        >>> layer = Dropout(0.5).train()
        >>> layer.streams, layer.rates = Streams.of([7, 8]), [0.5, 0.0]
        >>> dropped = layer(torch.ones(2, 4, 3))
        >>> bool((dropped[1] == 1).all()), sorted(set(dropped[0].flatten().tolist()))
        (True, [0.0, 2.0])
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.streams: Streams | None = None
        self.rates: Sequence[float] = ()

    def forward(self, x: Tensor) -> Tensor:
        """(...) -> the same; of a stack (runs, ...)."""
        if not self.training:
            return x
        if self.streams is None:
            return functional.dropout(x, self.p, True)
        return self.streams.drop(x, self.rates)

    def extra_repr(self) -> str:
        """For ``repr``."""
        return f"p={self.p}"


class Streams:
    """A random stream per run of a stack.

    The numbers of a stream are those that torch's random state of the same seed would give, so a run draws in a stack
    what it would draw alone, as long as its layers are asked in one order and shape.

    Args:
        generators: One per run.
    """

    def __init__(self, generators: Sequence[torch.Generator]) -> None:
        self.generators = list(generators)

    @classmethod
    def of(cls, seeds: Sequence[int], device: torch.device | str = "cpu") -> Streams:
        """Streams that begin at these seeds."""
        return cls([torch.Generator(device).manual_seed(seed) for seed in seeds])

    def drop(self, x: Tensor, rates: Sequence[float]) -> Tensor:
        """Dropout of each run by its own rate, (runs, ...) -> the same."""
        if not any(rates):
            return x
        # in torch's own way (and order of operations): noise of 0 and 1, in the order in which x lies in memory,
        # divided by the share that is kept
        noise = torch.empty_like(x)
        for row, rate, generator in zip(noise, rates, self.generators, strict=True):
            if rate:
                row.bernoulli_(1 - rate, generator=generator).div_(1 - rate)
            else:
                row.fill_(1.0)
        return x * noise

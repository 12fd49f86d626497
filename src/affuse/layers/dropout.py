"""Dropout whose draws belong to a run, whatever the run is stacked with and wherever it computes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 65536  # a rate is rounded to a multiple of 1 / LEVELS: two random bytes decide on a value


class Dropout(nn.Module):
    """As ``torch.nn.Dropout``; with ``streams`` every run draws from a random stream of its own.

    Args:
        p: The share of values that are set to 0 in training; the others are divided by 1 - p.

    Attributes:
        streams: Of the runs; None: torch's random state is drawn from.
        rates: A rate per run of a stack; empty: the layer is of one network.

    Examples:
        >>> layer = Dropout(0.5).train()
        >>> layer.streams, layer.rates = Streams([7, 8]), [0.5, 0.0]
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
        if not self.rates:
            return self.streams.drop(x[None], [self.p])[0]
        return self.streams.drop(x, self.rates)

    def extra_repr(self) -> str:
        """For ``repr``."""
        return f"p={self.p}"


class Streams:
    """A random stream per run.

    What a run draws is a function of its seed, its rates and the shapes of its own batches, on every device. Numpy's
    SFC64 gives two bytes per value in a sixth of the time that torch takes for a number.

    Args:
        seeds: One per run.

    Attributes:
        rows: How many rows of each run's batch are real: nothing is drawn for what fills it up; None: all.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self.generators = [np.random.Generator(np.random.SFC64(seed)) for seed in seeds]
        self.rows: list[int] | None = None

    def part(self, first: int, size: int) -> Streams:
        """The streams of ``size`` neighbouring runs: the same ones, not copies; ``rows`` is set for each part."""
        part = Streams([])
        part.generators = self.generators[first : first + size]
        part.rows = None if self.rows is None else self.rows[first : first + size]
        return part

    def drop(self, x: Tensor, rates: Sequence[float]) -> Tensor:
        """Dropout of each run by its own rate, (runs, rows, ...) -> the same."""
        cuts = [round(rate * LEVELS) for rate in rates]
        if not any(cuts):
            return x
        row = x[0, 0].numel()
        kept = np.ones((len(x), x[0].numel()), dtype=bool)
        for run, (cut, generator) in enumerate(zip(cuts, self.generators, strict=True)):
            values = row * (x.shape[1] if self.rows is None else self.rows[run])
            if cut and values:
                drawn = np.frombuffer(generator.bytes(2 * values), dtype="<u2")
                np.greater_equal(drawn, cut, out=kept[run, :values])
        noise = torch.from_numpy(kept).to(x.device).view(x.shape).to(x.dtype)
        scales = [LEVELS / (LEVELS - cut) for cut in cuts]
        if len(set(scales)) == 1:
            return x * noise.mul_(scales[0])
        return x * noise.mul_(x.new_tensor(scales).view(-1, *[1] * (x.dim() - 1)))

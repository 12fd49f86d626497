"""A random stream of one's own that a checkpoint carries."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class RandomStream(nn.Module):
    """Random numbers that neither disturb nor follow torch's global stream; ``state_dict`` resumes them.

    The state stays on the CPU (extra state, not a buffer), so that drawing never waits for a GPU.

    Args:
        seed: The same numbers for the same seed.

    Examples:
        >>> stream = RandomStream(0)
        >>> with stream.drawing() as generator:
        ...     first = torch.rand(1, generator=generator)
        >>> with RandomStream(0).drawing() as generator:
        ...     bool(first == torch.rand(1, generator=generator))
        True
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.state = torch.Generator().manual_seed(seed).get_state()

    @contextmanager
    def drawing(self) -> Generator[torch.Generator, None, None]:
        """A generator for the length of a block; what it has drawn by the end counts."""
        generator = torch.Generator()
        generator.set_state(self.state)
        yield generator
        self.state = generator.get_state()

    def get_extra_state(self) -> Tensor:
        """What a checkpoint holds of the stream."""
        return self.state.clone()

    def set_extra_state(self, state: Tensor) -> None:
        """Go on where a checkpoint was."""
        self.state = state.cpu().clone()

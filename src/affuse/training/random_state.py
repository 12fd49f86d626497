"""PyTorch's random state, which all threads and the caller share."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager

from lightning.pytorch.utilities.seed import isolate_rng

_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def own_random_state() -> Generator[None]:
    """Draw without anybody else: other threads wait, and the caller's draws go on afterwards where they were."""
    with _ONE_AT_A_TIME, isolate_rng():
        yield

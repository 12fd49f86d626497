"""PyTorch's random state, which all threads and the caller share."""

from __future__ import annotations

import random
import threading
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
import torch

from affuse.files import digest

_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def own_random_state() -> Generator[None]:
    """Draw without anybody else: other threads wait, and the caller's draws go on afterwards where they were.

    The states of numpy and Python too, which networks of other libraries draw from.
    """
    # not Lightning's isolate_rng, which does the same: its import takes three seconds, and a stack needs none of it
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices):
        of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 what other libraries draw from
        try:
            yield
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)  # noqa: NPY002


@contextmanager
def seeded(seed: int) -> Generator[None]:
    """Draw PyTorch's numbers from this seed, for as long as it takes to make a network's first weights."""
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def dropout_seed(seed: int, epoch: int) -> int:
    """Of an epoch's dropout: a function of (seed, epoch), so that a resumed run repeats an uninterrupted one.

    Args:
        seed: The recipe's.
        epoch: From 0.
    """
    return int(digest(str(seed), str(epoch))[:15], 16)

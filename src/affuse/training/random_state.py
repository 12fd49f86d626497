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

    The states of numpy and Python too, which networks of other libraries draw from. Lightning has the same, and takes
    two seconds to import, which a run of frozen features would not need it for otherwise.
    """
    with _ONE_AT_A_TIME, torch.random.fork_rng(range(torch.cuda.device_count())):
        python, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numbers)  # noqa: NPY002


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

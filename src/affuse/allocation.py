"""Memory that was freed stays with the process, on Linux."""

from __future__ import annotations

import os
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_... of malloc.h
_CHOSEN = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """Let glibc's malloc keep up to 256 MiB that were freed, and take blocks of up to 32 MiB from them.

    Else every batch's larger tensors go back to the system and come again page by page, each cleared: up to a sixth of
    what training a convolutional network on a CPU takes. For a process of affuse's own, a command that trains or its
    worker; what a user has set in the environment stays.

    Returns:
        Whether malloc does so; False where it is not glibc's, or the user has chosen.
    """
    if sys.platform != "linux" or any(name in os.environ for name in _CHOSEN):
        return False
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(
        mallopt(_MMAP_THRESHOLD, 32 << 20) and mallopt(_TRIM_THRESHOLD, 256 << 20)
    )

"""How much memory this process has taken."""

from __future__ import annotations

import sys


def peak_memory() -> int | None:
    """Bytes: the most this process has had in memory at once; None on Windows, where Python does not know it."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

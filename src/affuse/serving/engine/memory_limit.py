"""How much memory a process that opens files of strangers may take."""

from __future__ import annotations


def limit_memory(more: int) -> None:
    """What this process may take beyond what it has: a larger request fails instead of the machine."""
    try:
        import resource

        with open("/proc/self/status", encoding="ascii") as status:
            own = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData"))
    except (ImportError, OSError, StopIteration):  # not Linux: no such limit
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (own + more, hard))

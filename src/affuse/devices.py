"""Which device computes."""

from __future__ import annotations

import os

from affuse.errors import AffuseError, argument


def check_device(device: str) -> None:
    """Refuse a name that is no device, before torch is imported.

    Raises:
        AffuseError: The name is not "auto", "cpu" or "cuda".
    """
    if device not in ("auto", "cpu", "cuda"):
        raise AffuseError(f"{argument('device')} takes auto, cpu or cuda, not {device!r}.")


def choose_device(device: str = "auto") -> str:
    """Choose "cpu" or "cuda".

    Args:
        device: "auto" is a GPU where there is one, "cpu" and "cuda" are themselves.

    Raises:
        AffuseError: another name, or "cuda" without a GPU.

    Examples:
        >>> choose_device("cpu")
        'cpu'
    """
    check_device(device)
    if device == "cpu":
        return device
    import torch  # slow to import

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise AffuseError(f"{argument('device', 'cuda')}: no GPU was found; use {argument('device', 'cpu')}.")
    return "cpu"


def threads_per_run(runs: int) -> int:
    """How many threads each run of a grid has that is trained by itself: fewer runs than cores share the cores out.

    It depends on the whole grid and the machine alone, not on how many run at a time or are finished, since the last
    bits of a sum may depend on the number of threads.

    Args:
        runs: Of the grid that are trained so.

    Examples:
        >>> threads_per_run(1000)
        1
    """
    return max(1, (os.cpu_count() or 1) // max(1, runs))

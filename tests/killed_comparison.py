"""A process that compares, saves every epoch, and kills itself in the middle of a file.

``python killed_comparison.py PLACE OUT PATTERN COUNT``: at the COUNT-th time that a file whose name ends with PATTERN
would take its place, half of it is on the disk, and the process is killed as ``kill -9`` does.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from affuse.training.stacked import training

OVER = ["loss=cross_entropy,cross_entropy+center", "seed=0,1"]
CHANGES = ["epochs=6", "training.patience=3", "lr=0.1"]


def main(place: str, out: str, pattern: str, count: str) -> None:
    """See the module."""
    from frozen_runs import Place, compared

    left = [int(count)]
    replace = os.replace

    def killing(source: str | Path, target: str | Path) -> None:
        if str(target).endswith(pattern):
            left[0] -= 1
            if not left[0]:
                content = Path(source).read_bytes()
                Path(source).write_bytes(content[: len(content) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.replace = killing
    training.SAVE_EVERY = 0.0
    compared(Place.load(Path(place)), Path(out), OVER, *CHANGES)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What every test process has in common: one thread, no network, modules compiled once, long files first."""

from __future__ import annotations

import gc
import os
from pathlib import Path

# processes of two threads each would fight over two cores; set before torch is imported, and for the processes
# that tests start
os.environ.setdefault("OMP_NUM_THREADS", "1")
# a model that is nowhere is asked for again and again, with pauses, wherever there is no network
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# else each of the many processes that tests start compiles affuse again
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Python looks for cycles after every 700 new objects, each time through more of what the imports made: a tenth of all
# processor time, and nearly half of the collection's
gc.set_threshold(50_000, 20, 100)

import pytest
import torch

torch.set_num_threads(1)

# The files that take longest begin, so that at the end no process is left alone with one (``--dist loadfile``).
LONGEST = (
    "export/test_export.py", "serving/test_engine_faults.py", "adopt/test_adopt.py", "cli/test_demo.py",
    "export/test_export_speech.py", "cli/test_stopping.py", "reproduction/test_reproduce.py", "cli/test_cli.py",
    "encoders/test_vision.py", "training/stacked/test_resume.py", "inference/live/test_stream.py",
    "reproduction/test_joint.py", "test_tutorial.py", "parts/test_own_package.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = Path(__file__).parent
    ranks = {(folder / name).resolve(strict=True): rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


def pytest_collection_finish() -> None:
    """What has been imported stays; it need not be looked through again."""
    gc.collect()
    gc.freeze()

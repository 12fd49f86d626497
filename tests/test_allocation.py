"""Freed memory stays with a command's process: counted by the pages that the system has to give it again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import affuse
from affuse.allocation import _CHOSEN

CODE = """
import resource, sys
from affuse.allocation import keep_freed_memory
listens = sys.argv[1] == "kept" and keep_freed_memory()
def faults(rounds):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        blocks = [b"x" * (size << 20) for size in (30, 28, 25)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(2)
print(int(listens), faults(10))
"""


def run(word: str, **more: str) -> tuple[bool, int]:
    environment = {name: value for name, value in os.environ.items() if name not in _CHOSEN}
    environment |= {"PYTHONPATH": str(Path(affuse.__file__).parents[1]), **more}
    done = subprocess.run(
        [sys.executable, "-c", CODE, word], env=environment, capture_output=True, text=True, check=True
    )
    listens, faults = done.stdout.split()
    return listens == "1", int(faults)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_blocks_that_were_freed_are_taken_again() -> None:
    listens, kept = run("kept")
    if not listens:
        pytest.skip("this C library is not glibc")
    _, plain = run("plain")
    assert kept < 100
    assert plain > 4 * kept + 200  # of pages of 4 KiB it is 20,000 a round, of huge ones 40


def test_what_a_user_has_set_stays() -> None:
    assert run("kept", MALLOC_TRIM_THRESHOLD_="100000")[0] is False

"""The private folder of uploads: of one service alone, emptied at its end, and at the next start after a crash."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_PREFIX, _UNLOCKED = "affuse-serve-", "affuse-serve.new-"
_LOCK = "lock"


@contextmanager
def private_folder() -> Generator[Path]:
    """A folder below the temporary one that only this user may open (0700); removed at the end with all in it.

    Folders of services that were killed are removed too: the lock that each holds tells which are alive.

    Raises:
        OSError: The temporary folder cannot be written.
    """
    _remove_left_behind()
    made = Path(tempfile.mkdtemp(prefix=_UNLOCKED))
    lock = (made / _LOCK).open("w")
    _take(lock)
    # under this name others look for folders whose service is dead: it has its lock already
    folder = made.rename(made.with_name(_PREFIX + made.name.removeprefix(_UNLOCKED)))
    uploads = folder / "uploads"
    uploads.mkdir(mode=0o700)
    try:
        yield uploads
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.close()


def _remove_left_behind() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            with (folder / _LOCK).open("r+") as lock:
                if _take(lock):
                    shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # another user's, or one that is just being made
            continue


def _take(lock: IO[str]) -> bool:
    """Whether the lock is ours now: the system takes it from a process that dies."""
    try:
        import fcntl
    except ImportError:  # Windows has no such lock: nothing of others is removed there
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

"""What went wrong with one clip, whatever the exception, in one line: no clip ends a batch."""

from __future__ import annotations

import errno
import traceback
from pathlib import Path

from affuse.errors import AffuseError
from affuse.files.names import shown

SKIPPED = "skipped.csv"  # the list of the clips that a verb left out, with their causes; in whatever folder it writes
# No clip's fault: every clip after this one would fail in the same way.
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
_PACKAGE = Path(__file__).parent


def cause_of(error: Exception, clip: object, what: str = "cannot be used") -> str:
    """One sentence: of a ``ClipError`` its own; else what, where in affuse, and why.

    ``clip`` names it; ``what`` is the verb after it. Raises the error itself where the disk is full: that is no clip's.
    """
    if isinstance(error, AffuseError):
        return shown(str(error))
    if isinstance(error, OSError) and error.errno in FULL_DISK:
        raise error
    if isinstance(error, MemoryError):
        return shown(f"{clip} {what}: it takes more memory than there is ({place_of(error)}).")
    why = " ".join(str(error).split())
    kind = type(error).__name__
    return shown(f"{clip} {what} ({kind} in {place_of(error)}{f': {why}' if why else ''}).")


def place_of(error: BaseException) -> str:
    """'audio.py:120': the innermost line of affuse that the error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _PACKAGE in Path(frame.filename).parents] or frames
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "an unknown place"


def trace_of(error: BaseException) -> str:
    """The whole traceback, for those who asked for it; '' of what was expected."""
    return "" if isinstance(error, AffuseError) else "".join(traceback.format_exception(error))

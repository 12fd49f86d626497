"""Standard input as a clip, named ``-``: decoders seek, so it is copied to a file first."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.errors import AffuseError

if TYPE_CHECKING:
    from affuse.inference.batch import Outcome

NAME = "standard-input"  # of its copy, and so of its outputs
_BLOCK = 1 << 20  # bytes


@contextmanager
def spooled() -> Generator[Path]:
    """A copy in the temporary folder, removed afterwards.

    Raises:
        AffuseError: The input is closed, broken or empty, or the temporary folder cannot hold the copy.
    """
    import tempfile

    _check_open()
    try:
        folder = tempfile.TemporaryDirectory(prefix="affuse-")
    except OSError as error:
        raise _no_room(error) from None
    with folder as name:
        copy = Path(name) / NAME
        _fill(copy)
        yield copy


def arriving(size: int) -> bytes:
    """At most so many bytes, as soon as there are some; none at the end.

    Raises:
        AffuseError: The input is closed or broken.
    """
    _check_open()
    try:
        return sys.stdin.buffer.read1(size)  # type: ignore[attr-defined]  # BufferedReader and BytesIO have it
    except OSError as error:
        raise _unreadable(error) from None


def named(outcome: Outcome, copy: Path) -> Outcome:
    """The outcome with standard input called so: nobody knows the name of its copy."""

    def renamed(sentence: str) -> str:
        sentence = sentence.replace(str(copy), "standard input")
        return sentence[:1].upper() + sentence[1:]

    if outcome.timeline is not None:
        outcome.timeline.clip = "-"
        outcome.timeline.faults = [renamed(fault) for fault in outcome.timeline.faults]
    error = outcome.error
    return outcome._replace(
        job=replace(outcome.job, path=Path("-")),
        cause=renamed(outcome.cause),
        error=None if error is None else type(error)(renamed(error.marked)),
    )


def _check_open() -> None:
    if sys.stdin is None or sys.stdin.closed:
        raise AffuseError("Standard input is closed; name a file instead of -.")


def _unreadable(error: OSError) -> AffuseError:
    return AffuseError(f"Standard input cannot be read ({(error.strerror or str(error)).lower()}).")


def _fill(copy: Path) -> None:
    size = 0
    try:
        stream = copy.open("wb")
    except OSError as error:
        raise _no_room(error) from None
    with stream:
        while True:
            try:
                block = sys.stdin.buffer.read(_BLOCK)
            except OSError as error:
                raise _unreadable(error) from None
            if not block:
                break
            size += len(block)
            try:
                stream.write(block)
                stream.flush()
            except OSError as error:
                stream.raw.close()  # type: ignore[attr-defined]  # what is buffered would fail again
                raise _no_room(error) from None
    if size == 0:
        raise AffuseError("Standard input is empty (0 bytes); pipe an audio or video file to it.")


def _no_room(error: OSError) -> AffuseError:
    import tempfile

    try:
        where = f"the temporary folder {tempfile.gettempdir()}"
    except OSError:
        where = "any temporary folder"
    return AffuseError(
        f"Standard input cannot be copied to {where} ({(error.strerror or str(error)).lower()}); set TMPDIR to a "
        "folder with room for it, or name a file instead of -."
    )

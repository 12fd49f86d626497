"""What is particular about a clip that was read: said where it is found, heard by whoever reads the clip.

Encoders give tensors, own ones too, so a sentence about the sound they read goes around them. Threads do not hear each
other.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar

_listening: ContextVar[list[str] | None] = ContextVar("remarks", default=None)


@contextmanager
def remarks() -> Generator[list[str]]:
    """The sentences said within the block, each once."""
    heard: list[str] = []
    token = _listening.set(heard)
    try:
        yield heard
    finally:
        _listening.reset(token)


def remark(sentences: Iterable[str]) -> None:
    """Say them to whoever listens around the caller."""
    heard = _listening.get()
    if heard is not None:
        heard += [sentence for sentence in sentences if sentence not in heard]

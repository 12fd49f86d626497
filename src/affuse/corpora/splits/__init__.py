"""Splits: a table (id, fold, role, speaker) made by a protocol, with a hash; checked for shared speakers.

The names are loaded when they are first used: a recipe names its protocol, and is read without pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from affuse.corpora.splits.making import make_split
    from affuse.corpora.splits.overlap import transcript_overlap
    from affuse.corpora.splits.protocol import SplitProtocol, ValidationPart
    from affuse.corpora.splits.split import ROLES, Split

__all__ = ["ROLES", "Split", "SplitProtocol", "ValidationPart", "make_split", "transcript_overlap"]

_MODULES = {
    "ROLES": "split",
    "Split": "split",
    "SplitProtocol": "protocol",
    "ValidationPart": "protocol",
    "make_split": "making",
    "transcript_overlap": "overlap",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""References to arrays: ``array.npy``, ``array.npy#ROW``, ``arrays.npz#KEY``, ``arrays.npz#KEY#ROW``."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from affuse.files.names import find

PARTS = 2  # that may stand behind the file: a key and a row


class Reference(NamedTuple):
    """The file as it was written, and what is meant of it: key, row, or both."""

    path: str
    inside: list[str]


def split_reference(reference: str, folder: Path = Path()) -> Reference:
    """Split a reference into its file and what is meant of it.

    Folders and files may have ``#`` in their names too: the longest path that is a file is the path. Where none is, it
    ends with the first ``.npy`` or ``.npz`` before a ``#`` or the end, or else at the first ``#``.

    Args:
        reference: As it was written.
        folder: What relative paths start from.

    Examples:
        >>> split_reference("faces.npz#s1#3")
        Reference(path='faces.npz', inside=['s1', '3'])
    """
    parts = reference.split("#")
    choices = [Reference("#".join(parts[:count]), parts[count:]) for count in range(len(parts), 0, -1)]
    for choice in choices[: PARTS + 1]:
        if choice.path and find(folder / choice.path).is_file():
            return choice
    named = [one for one in choices if one.path.lower().endswith((".npy", ".npz"))]
    return named[-1] if named else choices[-1]


def is_reference(reference: Reference) -> bool:
    """Whether it has the form of a reference: a file of arrays, and at most key and row behind it."""
    name = reference.path.lower()
    filled = len(name) > len(".npy") and all(reference.inside)
    return name.endswith((".npy", ".npz")) and filled and len(reference.inside) <= PARTS

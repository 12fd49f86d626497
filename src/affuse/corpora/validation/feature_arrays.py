"""Checking the arrays that a corpus row points at."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from affuse.corpora.feature_references import split_reference
from affuse.failures import cause_of
from affuse.files.names import find


class FeatureArrays:
    """Feature references (``array.npy``, ``array.npy#ROW``, ``arrays.npz#KEY``, ``arrays.npz#KEY#ROW``).

    The last few files stay open, memory-mapped where the format allows, for the rows that share them.
    """

    def __init__(self) -> None:
        self._open = lru_cache(maxsize=8)(_open_arrays)
        self._widths: dict[str, tuple[int, str]] = {}

    def fault(self, name: str, reference: str) -> str:
        """Say what is wrong with one row's reference in ``features_<name>``; '': nothing."""
        try:
            array = self._array(reference)
        except Exception as error:  # of a damaged file, found when its values are read
            return cause_of(error, reference).rstrip(".")
        if isinstance(array, str):
            return array
        if array.dtype.kind not in "fiub":
            return f"{reference} holds {array.dtype}, not numbers"
        if array.ndim not in (1, 2) or array.size == 0:
            return f"{reference} has shape {array.shape}; it must be (width,) or (time, width), not empty"
        if not np.isfinite(array).all():
            return f"{reference} has values that are NaN or infinite"
        width, first = self._widths.setdefault(name, (array.shape[-1], reference))
        if width != array.shape[-1]:
            return (
                f"{reference} is {array.shape[-1]} wide and {first} {width}; all of one feature must be equal"
            )
        return ""

    def _array(self, reference: str) -> np.ndarray | str:
        """The array a reference means, or what is wrong with it."""
        name, inside = split_reference(reference)
        path = find(name)
        array = self._open(path)
        if isinstance(array, str):
            return array
        if isinstance(array, Mapping):
            if not inside:
                return f"{reference} names no array; write {path.name}#KEY"
            key = inside.pop(0)
            if key not in array:
                return f"{path} has no array {key!r}"
            array = array[key]
        if not inside:
            return array
        if len(inside) > 1 or not inside[0].isdecimal():
            return f"{reference} is not like array.npy#ROW, with rows from 0"
        if array.ndim < 2 or int(inside[0]) >= len(array):
            return f"{path} has no row {inside[0]}; its shape is {array.shape}"
        return array[int(inside[0])]


def _open_arrays(path: Path) -> np.ndarray | Mapping[str, np.ndarray] | str:
    if not path.is_file():
        return f"{path} does not exist"
    try:
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return {key: arrays[key] for key in arrays.files}
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged zip or header raises one of many kinds
        return f"{path} cannot be read as arrays ({error})"

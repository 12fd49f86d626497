"""The file of a run's test embeddings: the numpy arrays ``id`` and ``embedding``, in half precision where it fits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from affuse.errors import AffuseError
from affuse.files import replacing


def write_embeddings(path: str | Path, ids: Sequence[str], embedding: np.ndarray) -> None:
    """Write ids (n,) and embedding (n, width) atomically: float16 where it holds every value, else float32."""
    fits = np.abs(embedding).max(initial=0.0) < np.finfo(np.float16).max  # NaN does not
    small = embedding.astype(np.float16 if fits else np.float32)
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(stream, id=np.array(list(ids), dtype=str), embedding=small)


def read_embeddings(path: str | Path) -> tuple[list[str], np.ndarray]:
    """Ids and (n, width) float32. Nothing in the file is unpickled.

    Raises:
        AffuseError: if the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            ids, embedding = arrays["id"], arrays["embedding"].astype(np.float32)
            if ids.ndim != 1 or embedding.ndim != 2 or len(ids) != len(embedding):
                raise ValueError("its arrays do not match")
    except Exception as error:  # numpy and zipfile raise many kinds for a damaged file
        raise AffuseError(
            f"{path} cannot be read ({error}); remove the run's folder and run the same command again."
        ) from None
    return [str(id) for id in ids], embedding

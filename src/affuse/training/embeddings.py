"""``embeddings.npz`` of a run folder: the embedding of every test utterance, for maps and their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from affuse.errors import AffuseError
from affuse.files import replacing
from affuse.models.network import Model
from affuse.training.data import Clips, batches


def embed(model: Model, clips: Clips, batch_size: int, device: str = "cpu") -> np.ndarray:
    """(clips, width) float32 embeddings in the clips' order, in evaluation mode."""
    model.eval().to(device)
    index, rows = [], []
    with torch.inference_mode():
        for batch in batches(clips, batch_size):
            output = model({name: sequence.to(device) for name, sequence in batch.clips.items()})
            index.append(batch.index.numpy())
            rows.append(output.embedding.float().cpu().numpy())
    return np.concatenate(rows)[np.argsort(np.concatenate(index))]


def write_embeddings(path: str | Path, ids: Sequence[str], embedding: np.ndarray) -> None:
    """Write ids (n,) and embedding (n, width) atomically: float16 where it holds every value, else float32."""
    fits = np.abs(embedding).max(initial=0.0) < np.finfo(np.float16).max  # NaN does not
    small = embedding.astype(np.float16 if fits else np.float32)
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(stream, id=np.array(list(ids), dtype=str), embedding=small)


def read_embeddings(path: str | Path) -> tuple[list[str], np.ndarray]:
    """Ids and (n, width) float32. Raises AffuseError if the file is damaged; nothing in it is unpickled."""
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

"""The feature cache: one small file per clip, named by what its content depends on.

A file is written to a temporary name and renamed, so a crash leaves no half of one, and several processes or
machines on a shared disk may write at once. It is memory-mapped and checked against its own digest when read.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from affuse.corpora.corpus import Utterance
from affuse.encoders.base import Encoder
from affuse.errors import AffuseError, argument
from affuse.files import digest, file_digest, replacing
from affuse.files.names import written

# What a full disk says: no space, over quota, over the largest allowed file.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def default_folder() -> Path:
    """$AFFUSE_CACHE, or the user's cache folder: $XDG_CACHE_HOME, unless it is blank or relative, or ~/.cache.

    Raises AffuseError where the user has no home folder.
    """
    if folder := os.environ.get("AFFUSE_CACHE"):
        return Path(folder)
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # the XDG specification: to be ignored
        try:
            base = Path.home() / ".cache"
        except RuntimeError:
            base = Path()
        if not base.is_absolute():
            raise AffuseError(
                f"There is no home folder to keep the feature cache in; give a folder as {argument('cache')}, or set "
                "AFFUSE_CACHE."
            )
    return base / "affuse" / "features"


class Cached(NamedTuple):
    """A stored tensor, and what was wrong with its clip where only a part of it could be used ("": nothing)."""

    tensor: Tensor
    fault: str


class FeatureCache:
    """key -> tensor on disk. Raises AffuseError for a folder whose name its files' library cannot open."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if written(str(self.folder.absolute())) != str(self.folder.absolute()):
            raise AffuseError(
                f"The feature cache cannot be in {self.folder}, whose name is no UTF-8; choose another "
                f"folder for {argument('cache')}."
            )
        self.version = digest("features", "1")  # change when the meaning of a cached tensor changes

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.safetensors"

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file()

    def size(self, key: str) -> int:
        """Bytes of a stored tensor's file; 0 where it is not there."""
        try:
            return self._path(key).stat().st_size
        except OSError:
            return 0

    def get(self, key: str) -> Tensor | None:
        """The tensor, or None if it is not there (``entry``)."""
        found = self.entry(key)
        return None if found is None else found.tensor

    def entry(self, key: str) -> Cached | None:
        """Tensor and fault, or None if it is not there; a damaged file is removed, so that it is computed again."""
        path = self._path(key)
        try:
            with safe_open(path, framework="pt") as stored:
                tensor = stored.get_tensor("features")
                metadata = stored.metadata() or {}
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError):
            path.unlink(missing_ok=True)
            return None
        if metadata.get("digest") != _tensor_digest(tensor):
            path.unlink(missing_ok=True)
            return None
        return Cached(tensor, metadata.get("fault", ""))

    def put(self, key: str, tensor: Tensor, fault: str = "") -> None:
        """Store a tensor, and its clip's fault. Raises AffuseError when the disk is full; no half of a file is left."""
        tensor = tensor.detach().cpu().contiguous()
        data = save({"features": tensor}, metadata={"digest": _tensor_digest(tensor), "fault": fault})
        try:
            with replacing(self._path(key)) as temporary:
                temporary.write_bytes(data)
        except OSError as error:
            if error.errno in FULL:
                raise AffuseError(
                    f"The disk that holds the feature cache {self.folder} is full; free some space or choose "
                    f"another folder for {argument('cache')}."
                ) from None
            raise AffuseError(
                f"The feature cache {self.folder} cannot be written ({error.strerror}); choose another folder "
                f"for {argument('cache')}."
            ) from None


class ContentKeys:
    """Keys of clips: encoder, options and weights, and the bytes of the media."""

    def __init__(self) -> None:
        self._digests: dict[tuple[str, int, int], str] = {}

    def key(self, encoder: Encoder, encoder_key: str, utterance: Utterance) -> str:
        """``encoder_key`` is the encoder's ``reading_key`` or ``features_key``; a file that is gone counts as such."""
        return digest(encoder_key, *(self._part(part) for part in encoder.media(utterance)))

    def _part(self, part: Any) -> str:
        return f"bytes {self._file(part)}" if isinstance(part, Path) else repr(part)

    def _file(self, path: Path) -> str:
        try:
            status = path.stat()
            # within one process a file is read once; its bytes decide, not its date
            memo = (str(path), status.st_size, status.st_mtime_ns)
            if memo not in self._digests:
                self._digests[memo] = file_digest(path)
            return self._digests[memo]
        except OSError:
            return "missing"  # reading it will say so in full


def _tensor_digest(tensor: Tensor) -> str:
    header = f"{tensor.dtype} {tuple(tensor.shape)}"
    return digest(header, tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes())

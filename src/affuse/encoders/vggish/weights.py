"""State dicts from a path or a URL, hash-checked by the file's name, never unpickled."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from affuse.errors import AffuseError

# The addresses that the torchvggish 0.2 package loads from.
NETWORK_URL = "https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth"
PCA_URL = "https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish_pca_params-970ea276.pth"
# name-HASH.ext, where HASH is the beginning of the content's SHA-256: PyTorch's custom for weight files
_HASHED_NAME = re.compile(r"-([0-9a-f]{8,64})\.[^.]+$")
# The PCA file may hold numpy arrays; these names rebuild plain arrays and nothing else.
_NUMPY: list[Any] = [
    (np._core.multiarray._reconstruct, "numpy.core.multiarray._reconstruct"),  # type: ignore[attr-defined]
    (np._core.multiarray._reconstruct, "numpy._core.multiarray._reconstruct"),  # type: ignore[attr-defined]
    np.ndarray,
    np.dtype,
    np.dtypes.Float32DType,
    np.dtypes.Float64DType,
]


def load_state(source: str, default_url: str, field: str) -> dict[str, Tensor]:
    """The tensors of ``source``: a path, a URL, or "download" for ``default_url``; float32, on the CPU.

    A download goes to torch.hub's folder once, and its SHA-256 must begin as the file's name says; so must a
    local file's where its name carries a hash. ``field`` is the option to name in messages.
    Raises AffuseError if the file is missing, cannot be fetched, fails the check, or is no state dict.
    """
    url = default_url if source == "download" else source
    path = _download(url, field) if urlparse(url).scheme in ("http", "https") else _local(url, field)
    try:
        if path.suffix == ".safetensors":
            return {name: value.float() for name, value in load_file(path).items()}
        with torch.serialization.safe_globals(_NUMPY):
            state: Any = torch.load(path, map_location="cpu", weights_only=True)
        return {name: torch.as_tensor(value).float() for name, value in dict(state).items()}
    except Exception as error:  # torch.load raises a different kind for each way a file can be wrong
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise AffuseError(
            f"{path} is not a PyTorch state dict ({reason}); set {field} to the public file or to 'download'."
        ) from None


def _local(source: str, field: str) -> Path:
    path = Path(source).expanduser()
    if not path.is_file():
        raise AffuseError(
            f"{path} does not exist; set {field} to the weight file's path or to 'download' to fetch it."
        )
    _check_hash(path, f"fetch it again or set {field} to 'download'")
    return path


def _download(url: str, field: str) -> Path:
    name = Path(urlparse(url).path).name
    if not _HASHED_NAME.search(name):
        raise AffuseError(
            f"{url} cannot be checked, because its file name holds no hash; "
            f"download it yourself and set {field} to its path."
        )
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not path.is_absolute() and not os.environ.get("TORCH_HOME"):
        raise AffuseError(
            f"There is no home folder to keep {name} in (HOME or XDG_CACHE_HOME is blank or relative); set TORCH_HOME "
            "to a folder."
        )
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # writes beside the target, checks the hash, then renames
            torch.hub.download_url_to_file(url, str(path), _HASHED_NAME.search(name).group(1))  # type: ignore
        except (OSError, RuntimeError) as error:  # URLError is an OSError; a wrong hash is a RuntimeError
            raise AffuseError(
                f"{url} could not be downloaded ({error}); "
                f"fetch {name} by other means and set {field} to its path."
            ) from None
    else:
        _check_hash(path, "delete it, and it is fetched again")
    return path


def _check_hash(path: Path, cure: str) -> None:
    found = _HASHED_NAME.search(path.name)
    if found is None:
        return
    with open(path, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if not digest.startswith(found.group(1)):
        raise AffuseError(
            f"{path} is damaged: its SHA-256 begins {digest[:8]}, not {found.group(1)} as named; {cure}."
        )

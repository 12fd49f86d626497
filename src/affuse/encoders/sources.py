"""The files that encoders' options name: made absolute, found on this machine, and known again by their content."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from affuse.encoders.pretrained import PACKAGE, locate
from affuse.errors import AffuseError
from affuse.files import file_digest

FILES = (".pth", ".pt", ".safetensors", ".onnx")
_COMMIT = re.compile(r"[0-9a-f]{40}")
# Of a transformers folder, what numbers depend on. Its README, and weights in formats that are not read, do not count.
_ABOUT = (
    "config.json", "preprocessor_config.json", "processor_config.json", "tokenizer*", "vocab*", "merges.txt",
    "special_tokens_map.json", "added_tokens.json", "*.model",
)  # fmt: skip
_WEIGHTS = (
    ("*.safetensors", "*.safetensors.index.json"),
    ("pytorch_model*.bin*",),
)  # the first that are there


def local_path(value: object) -> Path | None:
    """The file or folder of this machine that an option's value names, be it there or not.

    None for what is a package's, the Hub's, a download or no name at all.
    """
    if not isinstance(value, str) or value == "download" or value.startswith((PACKAGE, "folder:")):
        return None
    if "://" in value:
        return None
    try:
        path = Path(value).expanduser()
    except RuntimeError:  # ~somebody
        raise AffuseError(
            f"{value} names a home folder that is not here; write the path from the root."
        ) from None
    named = value.startswith((".", "/", "~")) or path.is_absolute() or path.suffix in FILES
    return path if named or path.exists() else None


def absolute(options: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """An encoder's options, those of ``names`` that are paths of this machine written out from the root.

    They then mean the same from every working folder, however they were written.
    """
    changed = dict(options)
    for name in names:
        path = local_path(options.get(name))
        if path is not None:
            # a link to a folder is the folder; a file keeps its name, whose ending says what it is
            real = os.path.realpath
            changed[name] = real(path) if path.is_dir() else os.path.join(real(path.parent), path.name)
    return changed


def find_files(value: object, revision: str | None = None) -> Path | None:
    """The file or folder that an option's value is read from on this machine; None where it is not here.

    Of the Hub's models, the copy in its cache at ``revision``.
    """
    if not isinstance(value, str) or value == "download" or "://" in value or value.startswith("folder:"):
        return None
    path = Path(locate(value)) if value.startswith(PACKAGE) else local_path(value)
    if path is None:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError

        try:
            config = try_to_load_from_cache(value, "config.json", revision=revision)
        except HFValidationError:  # no name of a Hub's model
            return None
        return Path(config).parent if isinstance(config, str) else None
    return path if path.exists() else None


def is_pinned(revision: str | None) -> bool:
    """Whether a revision is a commit, whose files never change."""
    return revision is not None and _COMMIT.fullmatch(revision) is not None


def digests(path: Path) -> dict[str, str]:
    """File -> digest, of what numbers depend on in a transformers folder; of a file its own, under the name ""."""
    if not path.is_dir():
        return {"": _digest(path)}
    weights = next((found for group in _WEIGHTS if (found := [f for p in group for f in path.glob(p)])), [])
    return {found.name: _digest(found) for found in sorted({*_about(path), *weights})}


def files_key(model: str) -> list[str]:
    """For a cache key: what a transformers folder of this machine holds beside its weights, which have their own key.

    Nothing of a package's or the Hub's, whose names stand for one thing.
    """
    path = local_path(model)
    if path is None or not path.is_dir():
        return []
    return [f"{found.name} {_digest(found)}" for found in _about(path)]


def _about(folder: Path) -> list[Path]:
    return sorted(found for pattern in _ABOUT for found in folder.glob(pattern) if found.is_file())


def _digest(path: Path) -> str:
    status = path.stat()
    return _remembered(str(path), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=10_000)
def _remembered(path: str, size: int, changed: int) -> str:
    """A gigabyte takes a second: once per process. Size and date are for the memory of it."""
    return file_digest(path)

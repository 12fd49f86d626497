"""The files that hold a public checkpoint's weights: safetensors alone, fetched where they are the Hub's."""

from __future__ import annotations

import json
from pathlib import Path

from affuse.encoders.hub_access import why_unreachable
from affuse.encoders.pretrained import check_hub_cache, locate
from affuse.errors import AffuseError


def weight_names(model: str, revision: str | None) -> frozenset[str]:
    """Of every tensor. Raises AffuseError as ``weight_files``, and for a file that cannot be read."""
    from safetensors import SafetensorError, safe_open

    names: set[str] = set()
    for path in weight_files(model, revision):
        try:
            with safe_open(path, framework="pt") as opened:
                names.update(opened.keys())
        except SafetensorError:
            raise AffuseError(f"{path} is damaged; download it again.") from None
    return frozenset(names)


def weight_files(model: str, revision: str | None) -> list[Path]:
    """Fetched where they are the Hub's. Raises AffuseError where the weights are a pickle, or none are there."""
    source = locate(model)
    if whole := _fetch(model, source, "model.safetensors", revision):
        return [whole]
    if index := _fetch(model, source, "model.safetensors.index.json", revision):
        try:
            shards = sorted(
                {str(shard) for shard in json.loads(index.read_text("utf-8"))["weight_map"].values()}
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise AffuseError(f"{index} is damaged; download it again.") from None
        found = [_fetch(model, source, shard, revision) for shard in shards]
        if lost := [shard for shard, path in zip(shards, found, strict=True) if path is None]:
            raise AffuseError(f"{model} lacks its file {lost[0]}; download it again.")
        return [path for path in found if path is not None]
    pickle = (Path(source) / "pytorch_model.bin").is_file() if Path(source).is_dir() else True
    what = "weights as a Python pickle alone" if pickle else "no weights"
    raise AffuseError(
        f"{model} has {what}, no model.safetensors, and affuse unpickles nothing; take a revision that has one, or, "
        "if you trust its author, load it once with transformers and write it with save_pretrained, and name that "
        "folder."
    )


def _fetch(model: str, source: str, name: str, revision: str | None) -> Path | None:
    """A file of a checkpoint on this machine; None where it has none of that name."""
    if Path(source).is_dir():
        path = Path(source) / name
        return path if path.is_file() else None
    from transformers.utils import cached_file

    check_hub_cache()
    if why := why_unreachable(source, name, revision):
        raise AffuseError(
            f"{name} of {model} could not be fetched, for the Hub cannot be reached ({why}); check the network. The "
            "model starter answers without any download."
        )
    try:
        found = cached_file(source, name, revision=revision, _raise_exceptions_for_missing_entries=False)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise AffuseError(f"{name} of {model} could not be fetched ({reason}); check the network.") from None
    return None if found is None else Path(found)

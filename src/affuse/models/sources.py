"""Where the encoders of a model come from, and under which licences, as far as affuse knows."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from yaml import YAMLError

from affuse.encoders.pretrained import is_local
from affuse.encoders.sources import find_files
from affuse.errors import AffuseError
from affuse.files.yaml_text import read_yaml
from affuse.recipe import Modality

_UNKNOWN = "not known to affuse: see where it comes from"
OWN = "affuse's own, nothing pre-trained"


def source_of(part: Modality) -> str:
    """Where an encoder's weights are from, without the folders of this machine."""
    value = part.options.get("model") or part.options.get("weights")
    if not isinstance(value, str) or value == "download":
        return ""
    local = not value.startswith("package:") and ("://" not in value) and _local(value)
    return Path(value).name if local else value


def hub_id_of(part: Modality) -> str | None:
    """The Hub id of an encoder's weights, None where they are not the Hub's."""
    value = part.options.get("model") or part.options.get("weights")
    plain = isinstance(value, str) and re.fullmatch(r"[\w.-]+(/[\w.-]+)?", value) and value != "download"
    return value if plain and not _local(value) else None


def source_with_revision(part: Modality) -> str:
    """' bert-base-uncased at main', with a space before it; "" of what is not pre-trained."""
    source = source_of(part)
    revision = part.options.get("revision")
    return f" {source}{f' at {revision}' if revision else ''}" if source else ""


def licence_of(part: Modality) -> str:
    """Of the encoder's weights, in words; a local model's own card decides."""
    if part.encoder == "vggish":
        return "Apache-2.0 (AudioSet's VGGish)"
    source = source_of(part)
    if not source:
        return OWN
    if source.startswith("package:"):
        return table()["packages"].get(source.removeprefix("package:").split("/")[0], _UNKNOWN)
    value: Any = part.options.get("model") or part.options.get("weights")
    folder = find_files(value, part.options.get("revision"))
    if folder is not None and (stated := _stated(folder / "README.md")):
        return stated
    if part.encoder.endswith(("_classifier", "_onnx")) or _local(value):
        # trained by somebody on something: the name of the network that it began as says nothing of its licence
        return _UNKNOWN
    return licence_of_name(value)


def licence_of_name(name: str) -> str:
    """Of public weights, by their Hub id."""
    known = (one["licence"] for one in table()["weights"] if name.startswith(one["starts"]))
    return next(known, _UNKNOWN)


@cache
def table() -> dict[str, Any]:
    """``licences.yaml``: licences of public weights, and what a licence's text says."""
    text = files("affuse.models").joinpath("licences.yaml").read_text(encoding="utf-8")
    return read_yaml(text, "licences.yaml")


def _stated(card: Path) -> str | None:
    """The licence in a model's own card: of several all, of one that the Hub has no name for its own name."""
    if not card.is_file():
        return None
    from huggingface_hub import ModelCard

    try:
        told = ModelCard.load(card).data.to_dict()
    except (ValueError, OSError, YAMLError):
        return None
    found: Any = told.get("license")
    if found == "other":
        found = told.get("license_name") or found
    names = found if isinstance(found, list) else [found]
    return " and ".join(str(name) for name in names if isinstance(name, str | int | float)) or None


@cache
def _local(value: str) -> bool:
    try:
        return is_local(value) or Path(value).expanduser().exists()
    except AffuseError:
        return True

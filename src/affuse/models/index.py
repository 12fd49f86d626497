"""The files of a model folder, and the index that lists each with its digest."""

from __future__ import annotations

import json
import warnings
from pathlib import Path, PurePosixPath
from typing import Any

import affuse
from affuse.errors import AffuseError
from affuse.files import file_digest, write_json

FORMAT = 1
WEIGHTS = "model.safetensors"
RECIPE = "recipe.yaml"
LABELS = "labels.json"
PREPROCESSING = "preprocessing.json"
CARD = "README.md"
PREDICTION = "prediction.json"  # clip lengths, temperatures, thresholds; older folders have none
INDEX = "index.json"
ENCODERS = "encoders"  # a folder for each encoder whose original is not needed any more
IN_RUN = "model"  # the model folder of a run folder
INSIDE = "folder:"  # folder:encoders/text names files of the model folder itself


def write_index(folder: Path, names: list[str], **more: Any) -> None:
    """Write the list of the folder's files with their digests, and what else it is to say."""
    files = {name: file_digest(folder / name) for name in names}
    write_json(folder / INDEX, {"format": FORMAT, "affuse": affuse.__version__, **more, "files": files})


def read_index(folder: Path) -> dict[str, str]:
    """File -> digest. Raises AffuseError for a newer format and for what is no index."""
    index = read_json(folder / INDEX)
    try:
        written = int(index["format"])
        files = {str(name): str(expected) for name, expected in index["files"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise AffuseError(f"{folder / INDEX} is damaged; copy the model folder again.") from None
    if written != FORMAT:
        age = (
            f"a newer affuse ({index.get('affuse', 'unknown version')})"
            if written > FORMAT
            else "an older affuse"
        )
        cure = "update affuse" if written > FORMAT else "train the model again"
        raise AffuseError(
            f"{folder} has model format {written} of {age}, and this affuse {affuse.__version__} reads format "
            f"{FORMAT}; {cure}."
        )
    for name in files:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise AffuseError(
                f"{folder / INDEX} names {name!r}, which is outside the folder; do not use this model."
            )
    return files


def check_files(folder: Path) -> None:
    """Every file of the index is there and as it was written; AffuseError names the first that is not."""
    files = read_index(folder)
    for name in (WEIGHTS, RECIPE, LABELS):
        if name not in files:
            raise AffuseError(f"{folder / INDEX} does not list {name}; copy the model folder again.")
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            if name != CARD:
                raise AffuseError(f"{path} is missing; copy the model folder again.")
        elif file_digest(path) != expected:
            fault = f"{path} was altered since the model was written"
            if name != CARD:
                raise AffuseError(f"{fault}; copy the model folder again.")
            warnings.warn(f"{fault}; the network is not.", stacklevel=3)  # people edit cards on the Hub


def read_json(path: Path) -> Any:
    """AffuseError where the file is no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise AffuseError(f"{path} is damaged; copy the model folder again.") from None

"""A model folder: what inference needs and nothing else; every file is in an index with its digest."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save

from affuse.errors import AffuseError
from affuse.files import file_digest, replacing, write_json, write_text
from affuse.model import Model
from affuse.prediction_defaults import PredictionDefaults
from affuse.recipe import Recipe

FORMAT = 1
WEIGHTS = "model.safetensors"
RECIPE = "recipe.yaml"
LABELS = "labels.json"
PREDICTION = "prediction.json"  # clip lengths, temperatures, thresholds; older folders have none
INDEX = "index.json"


def save_model(model: Model, folder: str | Path) -> None:
    """Write the folder; the index comes last, so a folder without one is not a model."""
    folder = Path(folder)
    with replacing(folder / WEIGHTS) as temporary:
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
        temporary.write_bytes(save(state))
    write_text(folder / RECIPE, model.recipe.to_yaml())
    write_json(folder / LABELS, model.label_spaces)
    write_json(folder / PREDICTION, model.defaults.model_dump())
    files = {name: file_digest(folder / name) for name in (WEIGHTS, RECIPE, LABELS, PREDICTION)}
    write_json(folder / INDEX, {"format": FORMAT, "files": files})


def load_model(folder: str | Path) -> Model:
    """The model in evaluation mode. Runs no code from the folder.

    Raises AffuseError if the folder is no model folder, was written by a newer affuse, or a file is missing
    or was altered.
    """
    folder = Path(folder)
    if not (folder / INDEX).is_file():
        if (folder / "model" / INDEX).is_file():
            return load_model(folder / "model")  # a run folder was given
        raise AffuseError(f"{folder} is not a model folder: it has no {INDEX}; 'affuse train' writes one.")
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    if index.get("format") != FORMAT:
        raise AffuseError(
            f"{folder} has model format {index.get('format')}, this affuse reads {FORMAT}; update affuse."
        )
    for name, expected in index["files"].items():
        path = folder / name
        if not path.is_file():
            raise AffuseError(f"{path} is missing; copy the model folder again.")
        if file_digest(path) != expected:
            raise AffuseError(f"{path} was altered since the model was written; copy the model folder again.")
    recipe = Recipe.load(folder / RECIPE)
    model = Model(recipe, json.loads((folder / LABELS).read_text(encoding="utf-8")))
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (RuntimeError, SafetensorError) as error:
        raise AffuseError(
            f"{folder / WEIGHTS} does not fit its recipe: {str(error).splitlines()[0]}"
        ) from None
    if PREDICTION in index["files"]:
        model.defaults = PredictionDefaults.model_validate_json(
            (folder / PREDICTION).read_text(encoding="utf-8")
        )
    return model.eval()

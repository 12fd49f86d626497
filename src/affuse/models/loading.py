"""Read a model from a model folder, a run folder or the Hub."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from affuse.arguments import checked
from affuse.encoders.pretrained import weights_follow
from affuse.errors import AffuseError
from affuse.models.defaults import PredictionDefaults
from affuse.models.encoder_files import check_encoders
from affuse.models.finding import STARTER, STARTERS, find_folder
from affuse.models.foreign import check_foreign
from affuse.models.index import (
    INSIDE,
    LABELS,
    PREDICTION,
    PREPROCESSING,
    RECIPE,
    WEIGHTS,
    check_files,
    read_index,
    read_json,
)
from affuse.models.network import Model
from affuse.parts.registry import get
from affuse.recipe import Recipe


@checked
def load_model(source: str | Path) -> Model:
    """Load a trained model, in evaluation mode, from a model folder, a run folder or the Hub.

    Runs no code from the folder and unpickles nothing. An edited README.md is only a warning.

    Args:
        source: A folder, or "owner/name" or "owner/name@revision" for a model on the Hugging Face Hub.

    Raises:
        AffuseError: There is no model, it was written by a newer affuse, a part of another package is not installed
            here, or a file is missing or was altered, also one of an encoder that the model only names.

    Examples:
        >>> import affuse
        >>> model = affuse.load("runs/one")  # doctest: +SKIP
        >>> model.predict("talk.wav").save("talk.srt")  # doctest: +SKIP
    """
    folder = find_folder(source)
    check_files(folder)
    check_foreign(folder)
    recipe = Recipe.load(folder / RECIPE)
    written: dict[str, Any] = {}
    if PREPROCESSING in read_index(folder):
        written = read_json(folder / PREPROCESSING)
        check_encoders(recipe, written, folder)
    recipe = _as_trained(recipe, written)
    try:
        with weights_follow():
            model = Model(inside(recipe, folder), read_json(folder / LABELS))
    except AffuseError as error:
        raise _with_starter(error, folder) from None
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (RuntimeError, SafetensorError) as error:
        raise AffuseError(
            f"{folder / WEIGHTS} does not fit its recipe: {str(error).splitlines()[0]}"
        ) from None
    if PREDICTION in read_index(folder):
        model.defaults = PredictionDefaults.model_validate(read_json(folder / PREDICTION))
    return model.eval()


def _as_trained(recipe: Recipe, written: dict[str, Any]) -> Recipe:
    """The recipe with what encoders' options were at the time, where their defaults have changed since.

    written: preprocessing.json, which has every option; older folders lack it, and older still some of its fields
    """
    modalities = {}
    for name, modality in recipe.modalities.items():
        options = written.get("modalities", {}).get(name, {}).get("options", {})
        then = {
            field: options.get(field, value)
            for field, value in get("encoders", modality.encoder).Options.formerly.items()
            if field not in modality.options
        }
        modalities[name] = modality.model_copy(update={"options": {**then, **modality.options}})
    return recipe.model_copy(update={"modalities": modalities})


def _with_starter(error: AffuseError, folder: Path) -> AffuseError:
    """Of a starter whose encoder must be fetched: that another one needs no download."""
    if STARTERS not in folder.parents or folder == STARTERS / STARTER:
        return error
    cause = str(error).partition("; give a Hub id")[0]
    return AffuseError(f"{cause}; connect to the Hub once, or take {STARTER!r}, which needs no download.")


def inside(recipe: Recipe, folder: Path) -> Recipe:
    """``folder:`` in encoders' options made a path. Raises AffuseError for one that leads out of the folder."""
    modalities = {}
    for name, modality in recipe.modalities.items():
        options = dict(modality.options)
        for key, value in options.items():
            if isinstance(value, str) and value.startswith(INSIDE):
                inside = PurePosixPath(value.removeprefix(INSIDE))
                if inside.is_absolute() or ".." in inside.parts:
                    raise AffuseError(
                        f"{folder / RECIPE}, modalities.{name}.options.{key}: {value!r} leads out of the model folder; "
                        "do not use this model."
                    )
                options[key] = str(folder.resolve() / inside)
        modalities[name] = modality.model_copy(update={"options": options})
    return recipe.model_copy(update={"modalities": modalities})

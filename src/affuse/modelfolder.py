"""A model folder: what inference needs and nothing else; every file is in an index with its digest."""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from pathlib import Path, PurePosixPath
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save

import affuse
from affuse.encoder_files import FIELD, check_encoders, named_sources, source_digests
from affuse.encoders.base import Encoder, EncoderOptions
from affuse.encoders.pretrained import is_local, pinned, weights_follow
from affuse.encoders.sources import FILES, local_path
from affuse.errors import AffuseError
from affuse.files import file_digest, replacing, write_json, write_text
from affuse.model import Model, encoder_choice
from affuse.prediction_defaults import PredictionDefaults
from affuse.recipe import Modality, Recipe

FORMAT = 1
WEIGHTS = "model.safetensors"
RECIPE = "recipe.yaml"
LABELS = "labels.json"
PREPROCESSING = "preprocessing.json"
CARD = "README.md"
PREDICTION = "prediction.json"  # clip lengths, temperatures, thresholds; older folders have none
INDEX = "index.json"
ENCODERS = "encoders"  # a folder for each encoder whose original is not needed any more
INSIDE = "folder:"  # folder:encoders/text names files of the model folder itself


def save_model(
    model: Model, folder: str | Path, *, card: str | None = None, self_contained: bool = False
) -> None:
    """Write the folder; the index comes last, so a folder without one is not a model.

    Trained encoders are in the weights, and what else rebuilds them (config, tokenizer) is copied. A frozen encoder
    is named, a Hub's one with its commit, and the digests of its files are kept; with ``self_contained`` it is copied,
    weights and all.
    ``card`` is the text of README.md.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{ENCODERS}.", dir=folder) as temporary:
        fresh = Path(temporary) / ENCODERS
        recipe = _write_encoders(
            model, fresh, self_contained
        )  # the model may have come from this very folder
        (folder / INDEX).unlink(missing_ok=True)
        shutil.rmtree(folder / ENCODERS, ignore_errors=True)
        if fresh.is_dir():
            fresh.rename(folder / ENCODERS)
    with replacing(folder / WEIGHTS) as temporary:
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
        temporary.write_bytes(save(state))
    write_text(folder / RECIPE, recipe.to_yaml())
    write_json(folder / LABELS, model.label_spaces)
    about = preprocessing(recipe, model.recipe)
    for name, modality in recipe.modalities.items():
        if modality.frozen:
            about["modalities"][name][FIELD] = source_digests(modality)
    write_json(folder / PREPROCESSING, about)
    write_json(folder / PREDICTION, model.defaults.model_dump())
    names = [WEIGHTS, RECIPE, LABELS, PREPROCESSING, PREDICTION]
    if card is not None:
        write_text(folder / CARD, card)
        names.append(CARD)
    names += sorted(p.relative_to(folder).as_posix() for p in (folder / ENCODERS).rglob("*") if p.is_file())
    write_index(folder, names)


def write_index(folder: Path, names: list[str]) -> None:
    """The list of the folder's files with their digests."""
    files = {name: file_digest(folder / name) for name in names}
    write_json(folder / INDEX, {"format": FORMAT, "affuse": affuse.__version__, "files": files})


def load_model(source: str | Path) -> Model:
    """The model in evaluation mode, from a model folder, a run folder or the Hub ("owner/name", "owner/name@tag").

    Runs no code from the folder and unpickles nothing. An edited README.md is only warned of. Raises AffuseError if
    there is no model, it was written by a newer affuse, or a file is missing or was altered, be it of an encoder that
    the model only names.
    """
    folder = find_folder(source)
    check_files(folder)
    recipe = Recipe.load(folder / RECIPE)
    if PREPROCESSING in read_index(folder):
        check_encoders(recipe, read_json(folder / PREPROCESSING), folder)
    with weights_follow():
        model = Model(_inside(recipe, folder), read_json(folder / LABELS))
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (RuntimeError, SafetensorError) as error:
        raise AffuseError(
            f"{folder / WEIGHTS} does not fit its recipe: {str(error).splitlines()[0]}"
        ) from None
    if PREDICTION in read_index(folder):
        model.defaults = PredictionDefaults.model_validate(read_json(folder / PREDICTION))
    return model.eval()


def find_folder(source: str | Path) -> Path:
    """The model folder itself: of a run folder its ``model``, of a Hub id the download."""
    folder = Path(source)
    for candidate in (folder, folder / "model"):
        if (candidate / INDEX).is_file():
            return candidate
    if not folder.exists():
        from affuse.hub import download, looks_like_id

        if looks_like_id(str(source)):
            # a path that was misspelt is not asked for at the Hub, which may take long to say no
            if "@" not in str(source) and Path(folder.parts[0]).is_dir():
                raise AffuseError(
                    f"There is no model folder {source} (and {folder.parts[0]} is a folder here); correct the path, or "
                    f"write {source}@main for the Hub's model of that name."
                )
            return download(str(source))
        raise AffuseError(
            f"There is no model folder {source}; give a folder that 'affuse train' wrote or a Hub id."
        )
    raise AffuseError(f"{folder} is not a model folder: it has no {INDEX}; 'affuse train' writes one.")


def files_of(source: str | Path) -> list[Path]:
    """The files of a model folder, or of the one in a run folder; none where this machine has no such folder."""
    folder = Path(source)
    for candidate in (folder, folder / "model"):
        if (candidate / INDEX).is_file():
            return [candidate / INDEX, *(candidate / name for name in read_index(candidate))]
    return []


def read_index(folder: Path) -> dict[str, str]:
    """file -> digest. Raises AffuseError for a newer format and for what is no index."""
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


def preprocessing(recipe: Recipe, usable: Recipe) -> dict[str, Any]:
    """What a program that is not affuse must do to a clip, and what affuse did in training.

    modality -> its encoder with every option, defaults included; one step of what is read from disk, and the width of
    a step of its features. ``usable`` is the recipe whose paths are right now.
    """
    modalities = {}
    for name, modality in recipe.modalities.items():
        kind, now = encoder_choice(name, usable.modalities[name])
        reading = kind.reading_of(now)
        modalities[name] = {
            "kind": kind.kind,
            "encoder": modality.encoder,
            "frozen": modality.frozen,
            "options": now.model_dump(mode="json") | modality.options,
            "step": {
                "dtype": str(reading.dtype).removeprefix("torch."),
                "shape": list(reading.shape),
                "meaning": reading.meaning,
                "least_steps": reading.least,
            },
            "width": kind.width_of(now),
        }
    return {"modalities": modalities}


def local_encoders(recipe: Recipe) -> list[str]:
    """The frozen encoders that a model names by files of this machine, as 'modality: path'."""
    return [
        f"{name}: {value}"
        for name, modality in recipe.modalities.items()
        if modality.frozen
        for value in named_sources(modality).values()
        if local_path(value) is not None
    ]


def _write_encoders(model: Model, folder: Path, self_contained: bool) -> Recipe:
    """The recipe as it is to be written, after copying what the model cannot do without to ``folder``/MODALITY."""
    changed = {}
    for name, modality in model.recipe.modalities.items():
        kind, options = encoder_choice(name, modality)
        if not modality.frozen or self_contained or _from_model_folder(modality):
            # a trained encoder's weights are the model's
            encoder: Encoder = kind(options) if modality.frozen else model.encoders[name]  # type: ignore[assignment]
            written = encoder.write_source(folder / name, weights=modality.frozen)
            inside = PurePosixPath(ENCODERS, name)
            named = {
                key: value if value is None else f"{INSIDE}{inside / value}" for key, value in written.items()
            }
        elif (hub_id := _hub_id(options)) is not None:
            named = {"revision": pinned(hub_id, getattr(options, "revision", None))}
        else:
            continue
        changed[name] = modality.model_copy(update={"options": {**modality.options, **named}})
    return model.recipe.model_copy(update={"modalities": {**model.recipe.modalities, **changed}})


def _hub_id(options: EncoderOptions) -> str | None:
    """The Hub model that a frozen encoder is; None for one that is of this machine, of a package, or of no weights."""
    if "revision" not in type(options).model_fields:
        return None
    source = getattr(options, "model", None) or getattr(options, "weights", None)
    if not isinstance(source, str) or Path(source).suffix in FILES or is_local(source):
        return None
    return source


def _from_model_folder(modality: Modality) -> bool:
    """Whether a frozen encoder was loaded from inside a model folder, which must not be needed by the next one."""
    paths = [Path(value) for value in modality.options.values() if isinstance(value, str) and "/" in value]
    return any(
        folder.name == ENCODERS and (folder.parent / INDEX).is_file() for p in paths for folder in p.parents
    )


def _inside(recipe: Recipe, folder: Path) -> Recipe:
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

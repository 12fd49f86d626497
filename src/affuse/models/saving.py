"""Write a model folder: what inference needs and nothing else."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from safetensors.torch import save

from affuse.encoders.base import Encoder, EncoderOptions
from affuse.encoders.pretrained import is_local, pinned
from affuse.encoders.sources import FILES, local_path
from affuse.files import replacing, write_json, write_text
from affuse.models.encoder_files import FIELD, named_sources, source_digests
from affuse.models.foreign import FIELD as PARTS
from affuse.models.foreign import foreign_parts
from affuse.models.index import (
    CARD,
    ENCODERS,
    INDEX,
    INSIDE,
    LABELS,
    PREDICTION,
    PREPROCESSING,
    RECIPE,
    WEIGHTS,
    write_index,
)
from affuse.models.network import Model
from affuse.models.parts import resolve_encoders
from affuse.recipe import Modality, Recipe


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
    write_json(folder / LABELS, model.names)
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
    parts = [part._asdict() for part in foreign_parts(recipe)]
    write_index(folder, names, **({PARTS: parts} if parts else {}))


def preprocessing(recipe: Recipe, usable: Recipe) -> dict[str, Any]:
    """What a program that is not affuse must do to a clip, and what affuse did in training.

    modality -> its encoder with every option, defaults included; one step of what is read from disk, and the width of
    a step of its features. ``usable`` is the recipe whose paths are right now.
    """
    modalities: dict[str, Any] = {}
    resolved = resolve_encoders(usable)
    for name, modality in recipe.modalities.items():
        now = resolved[name]
        reading = now.reading
        modalities[name] = {
            "kind": now.kind,
            "encoder": modality.encoder,
            "frozen": modality.frozen,
            "options": now.options.model_dump(mode="json") | modality.options,
            "step": {
                "dtype": str(reading.dtype).removeprefix("torch."),
                "shape": list(reading.shape),
                "meaning": reading.meaning,
                "least_steps": reading.least,
            },
            "width": now.width,
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
        resolved = model.resolved[name]
        copied = resolved.part.copied
        if not modality.frozen or self_contained or copied or _from_model_folder(modality):
            encoder: Encoder = resolved.make() if modality.frozen else model.encoders[name]  # type: ignore[assignment]
            # a trained encoder's weights are the model's
            weights = self_contained if copied else modality.frozen
            written = encoder.write_source(folder / name, weights=weights)
            inside = PurePosixPath(ENCODERS, name)
            named = {
                key: value if value is None else f"{INSIDE}{inside / value}" for key, value in written.items()
            }
        elif (hub_id := _hub_id(resolved.options)) is not None:
            named = {"revision": pinned(hub_id, getattr(resolved.options, "revision", None))}
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

"""The parts that a recipe names, made from its options; what is wrong with an option is told with its field."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any

from pydantic import ValidationError

from affuse.corpora.schema import first_problem
from affuse.encoders.sources import absolute
from affuse.errors import AffuseError
from affuse.losses.weighted_sum import WeightedSum
from affuse.recipe import FusionChoice, Modality, Recipe, Task
from affuse.registry import get, unknown


def encoder_choice(name: str, modality: Modality) -> tuple[Any, Any]:
    """(encoder class, checked options) of a modality; AffuseError names the field that is wrong."""
    kind = get("encoders", modality.encoder)
    where = f"modalities.{name}.options"
    return kind, checked_options(kind.Options, modality.options, where, f"options of {modality.encoder}")


def with_absolute_paths(recipe: Recipe) -> Recipe:
    """The recipe with encoders' files and folders named from the root: the working folder may change, they may not."""
    modalities = {}
    for name, modality in recipe.modalities.items():
        options = absolute(modality.options, get("encoders", modality.encoder).sources)
        changed = options != modality.options
        modalities[name] = modality.model_copy(update={"options": options}) if changed else modality
    return recipe.model_copy(update={"modalities": modalities})


def build_fusion(choice: FusionChoice, widths: Mapping[str, int]) -> Any:
    kind = get("fusions", choice.name)
    options = checked_options(kind.Options, choice.options, "fusion.options", f"options of {choice.name}")
    for field in ("attend", "pool"):  # fields that name modalities
        named = getattr(options, field, None)
        for modality in named if isinstance(named, (list, dict)) else ():
            if modality not in widths and field in choice.options:
                raise AffuseError(f"fusion.options.{field}: {unknown(modality, list(widths), 'modalities')}.")
    return kind(widths, options)


def build_loss(task: str, choice: Task, classes: int, width: int) -> WeightedSum:
    terms = []
    for term in choice.loss:
        kind = get("losses", term.name)
        known = [n for n in signature(kind).parameters if n not in ("num_classes", "dim", "reduction")]
        for key in term.options:
            if key not in known:
                raise AffuseError(f"tasks.{task}.loss: {unknown(key, known, f'options of {term.name}')}.")
        try:
            terms.append((kind(classes, width, reduction=term.reduction, **term.options), term.weight))
        except (TypeError, ValueError) as error:
            raise AffuseError(f"tasks.{task}.loss, {term.name}: {error}.") from None
    return WeightedSum(terms)


def checked_options(model: Any, values: Mapping[str, Any], where: str, what: str) -> Any:
    for key in values:
        if key not in model.model_fields:
            raise AffuseError(f"{where}: {unknown(key, list(model.model_fields), what)}.")
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise AffuseError(f"{where}.{first_problem(error)}.") from None

"""The rows of a comparison: axes and their values, the recipe of each point, the names of rows and folders."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from affuse.files.names import shortened
from affuse.recipe import Recipe, loss_name


class Variant(NamedTuple):
    """One point of the axes: what was set, and the recipe that came of it.

    settings: axis -> value, as given.
    recipe: with the settings in it.
    base: the recipe before anything was set in it.
    baseline: the classical classifier that stands in this row's place; "": a network.
    """

    settings: dict[str, str]
    recipe: Recipe
    base: Recipe | None = None
    baseline: str = ""


def make_variants(
    source: str | Path | Recipe, axes: Mapping[str, Sequence[str]], overrides: Sequence[str] = ()
) -> list[Variant]:
    """The product of the axes, in order; the axis ``recipe`` chooses the recipe itself.

    Args:
        source: a packaged recipe's name, a YAML file or a recipe.
        axes: axis -> values; an axis is a field of the recipe, as overrides name it, or ``recipe``.
        overrides: "key=value" for every variant. Options set for a modality that only some of the axis' recipes have
            are left out for the others.

    Examples:
        >>> [v.settings for v in make_variants("server", {"loss": ["center", "cross_entropy"], "seed": ["0"]})]
        [{'loss': 'center', 'seed': '0'}, {'loss': 'cross_entropy', 'seed': '0'}]
    """
    modalities = {name: set(Recipe.load(name).modalities) for name in axes.get("recipe", [])}
    variants: list[Variant] = []
    for values in itertools.product(*axes.values()):
        settings = dict(zip(axes, values, strict=True))
        chosen = settings.get("recipe", source)
        changes = [f"{axis}={value}" for axis, value in settings.items() if axis not in ("recipe", "fold")]
        absent = (
            set[str]().union(*modalities.values()) - modalities.get(settings.get("recipe", ""), set())
            if modalities
            else set()
        )
        own = [text for text in overrides if not _sets_option_of(text, absent)]
        variants.append(Variant(settings, Recipe.load(chosen, [*own, *changes]), Recipe.load(chosen)))
    return variants


def describe(variant: Variant) -> dict[str, str]:
    """The axes that name a row of a table: recipe and loss always, then what was varied; not seed or fold."""
    recipe = variant.recipe
    if variant.baseline:
        return {"recipe": recipe.name, "loss": variant.baseline} | variant.settings
    task = "emotion" if "emotion" in recipe.tasks else next(iter(recipe.tasks))
    row = {"recipe": variant.settings.get("recipe", recipe.name), "loss": loss_name(recipe.tasks[task].loss)}
    return row | {axis: value for axis, value in variant.settings.items() if axis not in told_axes(recipe)}


def told_axes(recipe: Recipe) -> tuple[str, ...]:
    """The axes that need no column of their own: recipe and loss have one, seeds and folds are averaged."""
    task = "emotion" if "emotion" in recipe.tasks else next(iter(recipe.tasks))
    return "recipe", "loss", "tasks.emotion.loss", f"tasks.{task}.loss", "seed", "fold"


def equal_rows(variants: Sequence[Variant]) -> list[str]:
    """Sentences on rows that differ in the weighting alone where there is one task, and so nothing to weigh."""
    said: dict[str, None] = {}
    weightings: dict[str, set[str]] = {}
    for variant in variants:
        task, *others = variant.recipe.tasks
        if others:
            continue
        without = variant.recipe.model_dump_json(exclude={"weighting", "seed"})
        found = weightings.setdefault(without, set())
        found.add(variant.recipe.weighting.model_dump_json())
        if len(found) > 1:
            said[
                f"{variant.recipe.name} has one task, {task}, and so nothing to weigh: rows that differ in the "
                "weighting alone train the same, but for a scale of the loss."
            ] = None
    return list(said)


def folder_name(settings: Mapping[str, str], name: str) -> str:
    """The name of a row's folder, of at most 200 bytes; ``name`` where nothing was set.

    Examples:
        >>> folder_name({"loss": "cross_entropy+center", "seed": "0", "fold": "1"}, "server")
        'loss=cross_entropy+center,seed=0'
    """
    parts = [f"{axis}={value}" for axis, value in settings.items() if axis != "fold"]
    # no file system takes a name of more than 255 bytes, and the folder of a recipe may be a part of it
    return shortened(re.sub(r"[^\w.+=,-]", "_", ",".join(parts)) or name, 200)


def _sets_option_of(override: str, modalities: set[str]) -> bool:
    """Whether 'modalities.video.options.size=48' sets an option of one of ``modalities``."""
    parts = override.partition("=")[0].strip().split(".")
    return len(parts) > 3 and parts[0] == "modalities" and parts[1] in modalities and parts[2] == "options"

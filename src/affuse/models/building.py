"""The untrained network of a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from affuse.arguments import checked
from affuse.errors import AffuseError, argument
from affuse.models.network import Model
from affuse.names import quote
from affuse.parts.registry import unknown
from affuse.recipe import Recipe

# the papers' classes, where neither the recipe nor the caller names any
_USUAL = {"emotion": ["anger", "happiness", "sadness", "neutral"], "gender": ["female", "male"]}


@checked
def build(recipe: Recipe | str | Path, label_spaces: Mapping[str, Sequence[str]] | None = None) -> Model:
    """Build the untrained network of a recipe.

    Args:
        recipe: A recipe, a packaged recipe's name or a YAML file.
        label_spaces: Task -> classes, or labels where there are several at once. A task may be left out where the
            recipe names its classes; the papers' four emotions and the two genders stand in otherwise.

    Raises:
        AffuseError: For a recipe that cannot be read, an option that does not fit, and classes that nobody names.

    Examples:
        >>> import affuse
        >>> model = affuse.build("voice-offline", {"emotion": ["calm", "angry"]})
        >>> model.label_spaces
        {'emotion': ['calm', 'angry']}
        >>> import torch
        >>> from affuse.sequence import pad
        >>> output = model({"audio": pad([torch.randn(40, model.widths["audio"])])})
        >>> output.logits["emotion"].shape
        torch.Size([1, 2])
    """
    chosen = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    spaces: dict[str, list[str]] = {}
    for task, classes in (label_spaces or {}).items():
        if task not in chosen.tasks:
            raise AffuseError(f"{unknown(task, list(chosen.tasks), 'tasks of this recipe')}.")
        if task in chosen.dimensions:
            raise AffuseError(
                f"{argument('label_spaces')}: {task!r} is a regression and has no classes; leave it out."
            )
        texts = [label for label in classes if isinstance(label, str)]
        if isinstance(classes, str) or len(set(texts)) < len(list(classes)):
            raise AffuseError(
                f"{argument('label_spaces')}: the classes of {task!r} are a list of different texts, not "
                f"{quote(classes)}."
            )
    for task in (*chosen.classified, *chosen.label_sets):
        choice = chosen.tasks[task]
        known = (label_spaces or {}).get(task) or choice.classes or _USUAL.get(task)
        if known is None:
            raise AffuseError(
                f"The recipe does not name the classes of the task {task!r}; give {argument('label_spaces')}."
            )
        spaces[task] = list(known)
    return Model(chosen, spaces)

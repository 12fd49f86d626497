"""What a small or quick form, or a caller's own changes, change in a protocol's recipes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from affuse.recipe import Recipe

# Encoders are described by the small form itself, and by the caller's own changes.
_SECTIONS = ("corpus", "protocol", "tasks", "fusion", "head", "weighting", "optimizer", "training")


def changes_in_words(pairs: Sequence[tuple[Recipe, Recipe]]) -> str:
    """'Besides the encoders, these settings differ from the full form: training.batch_size 32 (in full 1); ...', or ''.

    ``pairs``: (recipe that is run, the same in full) of every row.
    """
    found: dict[str, tuple[list[str], list[str]]] = {}
    for here, full in pairs:
        mine, theirs = _fields(here), _fields(full)
        for field in dict.fromkeys([*mine, *theirs]):
            if mine.get(field) != theirs.get(field):
                for values, of in zip(found.setdefault(field, ([], [])), (mine, theirs), strict=True):
                    text = _text(of.get(field))
                    if text not in values:
                        values.append(text)
    told = [f"{field} {_listed(here)} (in full {_listed(full)})" for field, (here, full) in found.items()]
    return (
        f"Besides the encoders, these settings differ from the full form: {'; '.join(told)}." if told else ""
    )


def _fields(recipe: Recipe) -> dict[str, Any]:
    """'training.epochs' -> 30, 'tasks.emotion.loss' -> ..."""
    fields = {}
    for section, values in recipe.model_dump(include=set(_SECTIONS)).items():
        for name, value in values.items():
            if section == "tasks" or name == "options":
                fields |= {f"{section}.{name}.{key}": inner for key, inner in value.items()}
            else:
                fields[f"{section}.{name}"] = value
    return fields


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(one)}" for key, one in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "none"
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _listed(values: list[str]) -> str:
    return " or ".join(values)

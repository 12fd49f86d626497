"""A recipe as it was run, in words derived from its fields: what it reads, how it is split, what was changed in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from affuse.recipe import Recipe, packaged_recipes
from affuse.recipe.overrides import SHORTHANDS

_ABOUT = {"name", "description", "seed"}  # told elsewhere
_SOURCES = ("model", "weights", "network", "name")  # options that say which network or features an encoder is


def base_of(recipe: Recipe) -> Recipe | None:
    """The packaged recipe of that name; None where there is none."""
    return Recipe.load(recipe.name) if recipe.name in packaged_recipes() else None


def changed_fields(recipe: Recipe, base: Recipe, swept: Collection[str] = ()) -> list[str]:
    """'training.epochs 20 (was 250)', for every field that differs; the axes of ``swept`` are told by the rows.

    A whole modality, task or part that is new or gone is one line.
    """
    axes = {SHORTHANDS.get(axis, axis) for axis in swept}
    here, there = (flat(one.model_dump(mode="json", exclude=_ABOUT)) for one in (recipe, base))
    told = []
    for field in dict.fromkeys([*there, *here]):
        mine, theirs = here.get(field, "none"), there.get(field, "none")
        if mine != theirs and not any(field == axis or field.startswith(f"{axis}.") for axis in axes):
            told.append(f"{field} {mine} (was {theirs})")
    return told


def flat(data: Mapping[str, Any], at: str = "") -> dict[str, str]:
    """{'training': {'epochs': 20}} -> {'training.epochs': '20'}; a modality is one field."""
    found: dict[str, str] = {}
    for name, value in data.items():
        place = f"{at}.{name}" if at else name
        if at == "modalities":
            found[place] = encoder_in_words(value)
        elif isinstance(value, Mapping) and value and name != "merge":
            found |= flat(value, place)
        else:
            found[place] = _text(value)
    return found


def encoder_in_words(part: Mapping[str, Any]) -> str:
    """'bert bert-base-uncased, output tokens, frozen', of a modality's fields."""
    options = dict(part.get("options") or {})
    source = next((str(options.pop(name)) for name in _SOURCES if isinstance(options.get(name), str)), "")
    words = [f"{part['encoder']}{f' {source}' if source else ''}"]
    words += [f"{name.replace('_', ' ')} {_text(value)}" for name, value in options.items()]
    words.append("frozen" if part.get("frozen", True) else "trained")
    words += ["standardised"] if part.get("standardise") else []
    words += [f"taken from {100 * part['dropout']:g} % of the training clips"] if part.get("dropout") else []
    return ", ".join(words)


def loss_in_words(terms: Sequence[Mapping[str, Any]]) -> str:
    """'cross_entropy + 0.5 center (theta 2)', of a task's loss."""
    return _text(list(terms))


def describe_protocol(protocol: Mapping[str, Any]) -> str:
    """A split protocol in words: 'leave one group out by session; 1 group by session validates'."""
    by = ", ".join(protocol["by"])
    text = protocol["kind"].replace("_", " ") + (f" by {by}" if by else "")
    if protocol["kind"] == "ratio":
        text += " " + ":".join(f"{100 * share:g}" for share in protocol["ratios"])
    part = protocol["validation"]
    if part is None:
        return text + ("" if protocol["kind"] in ("ratio", "column") else "; nothing validates")
    size = (
        f"{part['groups']} group" if part["groups"] else f"{100 * part['fraction']:g} % of the training part"
    )
    of = ", ".join(part["by"]) or (by if part["groups"] else "")
    return f"{text}; {size}{f' by {of}' if of else ''} validates"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(one)}" for name, one in value.items()) or "none"
    if isinstance(value, list | tuple):
        terms = [one for one in value if isinstance(one, Mapping) and "weight" in one and "name" in one]
        if value and len(terms) == len(value):  # a loss
            return " + ".join(f"{_weight(one)}{one['name']}{_options(one)}" for one in terms)
        return ", ".join(map(_text, value)) or "none"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _weight(term: Mapping[str, Any]) -> str:
    return "" if term["weight"] == 1 else f"{term['weight']:g} "


def _options(term: Mapping[str, Any]) -> str:
    return f" ({_text(term['options'])})" if term.get("options") else ""

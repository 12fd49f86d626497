"""The parts of a model that are not affuse's own: named in its folder, and looked for before it is loaded."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from affuse.errors import AffuseError
from affuse.models.index import INDEX, read_json
from affuse.models.parts import parts_of
from affuse.parts import registry
from affuse.parts.interfaces import SINGULAR
from affuse.parts.origins import code_of
from affuse.recipe import Recipe

FIELD = "parts"  # of index.json; folders without foreign parts, and those of an older affuse, have none
_PACKAGE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


class ForeignPart(NamedTuple):
    """A part of someone else's: its package and version ("" for a script's), and where it was, for people to read."""

    family: str
    name: str
    package: str
    version: str
    path: str

    def __str__(self) -> str:
        return f"the {SINGULAR[self.family]} {self.name!r}"


def foreign_parts(recipe: Recipe) -> list[ForeignPart]:
    """The parts of a recipe that are not affuse's own, with the packages that they come from."""
    return [
        ForeignPart(family, name, *registry.origin(family, name))
        for family, name in parts_of(recipe)
        if not registry.is_own(family, name)
    ]


def foreign_code(recipe: Recipe) -> list[str]:
    """Which code the foreign parts of a recipe are: a finished run counts for that code alone."""
    return [
        f"{family} {name} {code_of(registry.get(family, name))}"
        for family, name in parts_of(recipe)
        if not registry.is_own(family, name)
    ]


def check_foreign(folder: Path) -> None:
    """Find the foreign parts that a model folder names among what is installed and registered; imports nothing by path.

    Raises:
        AffuseError: One is missing, or is another package's here. The message says what to install or register.
    """
    differ: dict[str, list[str]] = {}
    for part in _read(folder):
        if part.name not in registry.names(part.family):
            raise AffuseError(f"{folder} needs {part}{_cure(part)}.")
        here = registry.origin(part.family, part.name)
        then = f"{part.package} {part.version}"
        if part.package and here.package not in ("", part.package):
            raise AffuseError(
                f"{folder} was trained with {part} of {then}, and here that name is of {here}; work where that is not "
                "installed."
            )
        if part.package and here[:2] != (part.package, part.version):
            now = here.version or f"{here.path}, which a script has registered"
            differ.setdefault(f"{then}, and here it is {now}", []).append(str(part))
    for change, parts in differ.items():
        warnings.warn(
            f"{folder} was trained with {' and '.join(parts)} of {change}: its answers may differ.",
            stacklevel=3,
        )


def _cure(part: ForeignPart) -> str:
    if part.package:
        return f" of the package {part.package} {part.version}; install it: pip install {part.package}"
    name = part.path.rpartition(":")[2]
    return (
        f", which a script registered ({part.path}); before loading, import {name} and call "
        f"affuse.register({part.family!r}, {part.name!r}, {name})"
    )


def _read(folder: Path) -> list[ForeignPart]:
    try:
        entries: Any = read_json(folder / INDEX).get(FIELD, [])
        parts = [ForeignPart(*(str(entry[key]) for key in ForeignPart._fields)) for entry in entries]
        fit = all(p.family in SINGULAR and _PACKAGE.fullmatch(p.package or "none") for p in parts)
    except (KeyError, TypeError, AttributeError):
        fit, parts = False, []
    if not fit:
        raise AffuseError(f"{folder / INDEX} is damaged at {FIELD!r}; copy the model folder again.")
    return parts

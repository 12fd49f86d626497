"""What this affuse has: the parts of every family and the packaged recipes, each with a line on what it is."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import affuse
from affuse.errors import AffuseError
from affuse.files.yaml_text import read_yaml
from affuse.parts.registry import PARTS, get, names, unknown
from affuse.recipe import packaged_recipes

FAMILIES = (*PARTS, "recipes")
_SOURCE = Path(affuse.__file__).parent


def summaries(family: str) -> dict[str, str]:
    """Say what each part of a family is.

    The parts of affuse itself are not imported for it, which takes seconds: their docstrings are read from the source.

    Args:
        family: "losses", "weightings", "encoders", "fusions", "corpora" or "recipes".

    Returns:
        Name to description: of a part the first line of its docstring, of a recipe its whole description.

    Raises:
        AffuseError: There is no such family.

    Examples:
        >>> list(summaries("losses"))[:3]
        ['cross_entropy', 'center', 'contrastive_center']
    """
    if family not in FAMILIES:
        raise AffuseError(f"{unknown(family, list(FAMILIES), 'lists')}.")
    if family == "recipes":
        return {
            name: " ".join(read_yaml(resource.read_text(encoding="utf-8"), name)["description"].split())
            for name, resource in packaged_recipes().items()
        }
    return {name: _first_line(family, name) for name in names(family)}


def _first_line(family: str, name: str) -> str:
    module, _, attribute = PARTS[family].get(name, "").partition(":")
    doc = _docstring(module, attribute) if module.startswith("affuse.") else None
    try:
        doc = doc or inspect.getdoc(get(family, name))
    except AffuseError as error:  # its package cannot be imported; the others can be listed
        doc = str(error)
    return (doc or "").strip().partition("\n")[0]


def _docstring(module: str, name: str) -> str | None:
    """The docstring of a class or function of affuse, from the source of its module or of the one that it is from."""
    path = _SOURCE.joinpath(*module.split(".")[1:])
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.parse(file.read_text(encoding="utf-8")).body if file.is_file() else ():
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return ast.get_docstring(node)
        if isinstance(node, ast.ImportFrom) and node.module and name in [one.name for one in node.names]:
            return _docstring(node.module, name)
    return None

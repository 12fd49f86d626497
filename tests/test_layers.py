"""Modules import downwards only, and never in a circle; imports inside functions and for types count too.

The order is that of the table in CONTRIBUTING.md. What is allowed beside it stands here by name, with its reason.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import affuse

SOURCE = Path(affuse.__file__).parent
# Names in src/affuse; a module imports its own layer and those before it. Those of the first know nothing of the parts.
LAYERS = [
    "allocation arguments calls devices errors failures figures files lazy names progress section tables",
    "layers parts sequence workers",
    "evaluation", "media", "losses", "weighting", "fusion", "corpora", "encoders",
    "recipe",
    "models", "inference", "training", "onnx", "reports", "reproduction",
    "results", "serving", "api", "cli", "__main__",
]  # fmt: skip
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names.split()}
# (module that imports, module that is imported) -> why it may, although the order or a circle says otherwise
SUGAR = {
    ("affuse.corpora.corpus", "affuse.corpora.agreement"): "Corpus.raters",
    ("affuse.models.network", "affuse.inference.live.stream"): "Model.stream",
    ("affuse.models.network", "affuse.inference.companions"): "Model.predict",
    ("affuse.models.network", "affuse.inference.many"): "Model.predict of several clips",
    ("affuse.models.network", "affuse.inference.predict"): "Model.predict",
    ("affuse.models.network", "affuse.inference.settings"): "Model.predict",
    ("affuse.models.network", "affuse.inference.timeline"): "Model.predict's type",
    ("affuse.inference.timeline", "affuse.inference.plot"): "Timeline.plot",
    ("affuse.inference.timeline", "affuse.inference.notebook"): "Timeline._repr_html_",
    ("affuse.inference.timeline", "affuse.inference.writers"): "Timeline.save",
}


class Import(NamedTuple):
    """``late``: inside a function, or for types alone."""

    module: str
    imported: str
    late: bool


def modules() -> dict[str, Path]:
    """Dotted name -> file of every module; a package is its __init__."""
    found: dict[str, Path] = {}
    for path in SOURCE.rglob("*.py"):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(("affuse", *(parts[:-1] if parts[-1] == "__init__" else parts)))] = path
    return found


def imports(module: str, tree: ast.Module, known: dict[str, Path]) -> Iterator[Import]:
    """The modules of affuse that a module imports: a name that is itself a module, else the module it is taken from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            submodules = [f"{node.module}.{one.name}" for one in node.names]
            targets = [name if name in known else node.module for name in submodules]
        else:
            continue
        for target in dict.fromkeys(targets):
            if target in known and target != module:
                yield Import(module, target, node not in tree.body)


def graph() -> list[Import]:
    """Every import of the package, but those of the public names in affuse/__init__.py, which are looked up late."""
    known = modules()
    return [
        one
        for module, path in known.items()
        if module != "affuse"
        for one in imports(module, ast.parse(path.read_text(encoding="utf-8")), known)
        if one.imported != "affuse"  # the version; and whoever takes a public name from there is in no layer
    ]


def layer(module: str) -> str:
    return module.split(".")[1]


def circles(edges: list[tuple[str, str]]) -> list[set[str]]:
    """The strongly connected components of more than one module (Tarjan 1972)."""
    after: dict[str, list[str]] = {}
    for one, other in edges:
        after.setdefault(one, []).append(other)
        after.setdefault(other, [])
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in after[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            component = set(stack[at:])
            del stack[at:]
            if len(component) > 1:
                found.append(component)

    for node in list(after):
        if node not in index:
            visit(node)
    return found


def test_every_module_has_a_layer() -> None:
    missing = {layer(module) for module in modules() if module != "affuse"} - set(LEVEL)
    assert not missing, f"name {missing} in LAYERS and in CONTRIBUTING.md"


def test_the_table_in_contributing_has_the_layers() -> None:
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = text[text.index("| in `src/affuse` | holds |") :].split("\n\n")[0].splitlines()[2:]
    named = [" ".join(re.findall(r"`(\w+?)(?:\.py|/)`", row.split("|")[1])) for row in rows]
    assert named == LAYERS[:-1]  # __main__ is said of no file


def test_every_import_goes_to_the_same_or_an_earlier_layer() -> None:
    wrong = [
        f"{one.module} imports {one.imported}"
        for one in graph()
        if LEVEL[layer(one.imported)] > LEVEL[layer(one.module)] and (one.module, one.imported) not in SUGAR
    ]
    assert not wrong


def test_no_module_imports_itself_by_way_of_others() -> None:
    edges = [(one.module, one.imported) for one in graph() if (one.module, one.imported) not in SUGAR]
    assert [sorted(circle) for circle in circles(edges)] == []


def test_inference_needs_nothing_of_training() -> None:
    assert LEVEL["inference"] < LEVEL["training"]
    assert not [
        one for one in graph() if layer(one.module) == "inference" and layer(one.imported) == "training"
    ]


def test_what_is_allowed_is_used() -> None:
    used = {(one.module, one.imported) for one in graph()}
    assert set(SUGAR) <= used


def test_a_circle_is_found() -> None:
    assert circles([("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "e")]) == [{"a", "b", "c"}]
    known = modules()
    tree = ast.parse("def f():\n    from affuse.models import network, nothing\n    import affuse.recipe")
    assert list(imports("affuse.names", tree, known)) == [
        Import("affuse.names", "affuse.models.network", True),
        Import("affuse.names", "affuse.models", True),
        Import("affuse.names", "affuse.recipe", True),
    ]

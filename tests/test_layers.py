"""A module imports only its own layer and those before it: the table in CONTRIBUTING.md."""

import ast
from pathlib import Path

import affuse

SOURCE = Path(affuse.__file__).parent
LAYERS = [  # names in src/affuse
    "__init__ axes calls devices errors failures figures files lazy names progress tables",
    "options interfaces origins overrides registry sequence workers",
    *("media", "corpora", "encoders", "fusion", "losses", "weighting", "evaluation"),
    "catalogue recipe recipe_errors recipe_sections",
    "models",
    *("inference", "training", "onnx", "reports", "reproduction"),
    "results",
    "api demonstration",
    "cli __main__",
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names.split()}
# Upward all the same, but for types or when asked for: Model.predict, and the package's public names.
UPWARD = {("models", "inference"), *(("__init__", name) for name in LEVEL)}


def imports(tree):
    """(name in src/affuse, whether importing the module imports it too)."""
    for node in ast.walk(tree):
        names = [one.name for one in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        origin = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        for package, name, *_ in ((origin + name + ".__init__").split(".") for name in names):
            if package == "affuse":
                yield name if name in LEVEL else "__init__", node in tree.body


def test_every_import_goes_to_the_same_or_an_earlier_layer():
    wrong = []
    for path in SOURCE.rglob("*.py"):
        own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        assert own in LEVEL, f"{own} has no layer: name it here and in CONTRIBUTING.md"
        for name, at_once in imports(ast.parse(path.read_text())):
            if LEVEL[name] > LEVEL[own] and (at_once or (own, name) not in UPWARD):
                wrong.append(f"{path.relative_to(SOURCE)} imports {name}")
    assert not wrong

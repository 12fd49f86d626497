"""The benchmarks are run by hand; what they import is looked up here, so that a move does not break them unseen."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

BENCHMARKS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("file", BENCHMARKS, ids=lambda file: file.stem)
def test_what_a_benchmark_imports_of_affuse_is_there(file: Path) -> None:
    found = [
        (node.module, one.name)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "affuse"
        for one in node.names
    ]
    assert found
    for module, name in found:
        if not hasattr(import_module(str(module)), name):
            import_module(f"{module}.{name}")

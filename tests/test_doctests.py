"""The examples in docstrings run, each module's in a folder of its own."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import affuse

SOURCE = Path(affuse.__file__).parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL


def modules() -> list[str]:
    """Every module of affuse that has an example."""
    found = [path for path in sorted(SOURCE.rglob("*.py")) if ">>>" in path.read_text(encoding="utf-8")]
    return [".".join(path.relative_to(SOURCE.parent).with_suffix("").parts) for path in found]


@pytest.mark.parametrize("name", modules())
def test_examples_give_what_they_say(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AFFUSE_CACHE", str(tmp_path / "cache"))
    module = import_module(name.removesuffix(".__init__"))
    assert any(found.examples for found in doctest.DocTestFinder().find(module))
    assert not doctest.testmod(module, optionflags=FLAGS).failed

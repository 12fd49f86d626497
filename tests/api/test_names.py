"""The package from outside: what TAB shows, what a slip of the keyboard is answered with, and what it costs."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import affuse
from affuse.calls import current_call, recorded


def test_every_public_name_is_shown_and_there() -> None:
    shown = dir(affuse)
    assert {"train", "compare", "evaluate", "reproduce", "load", "build", "Corpus", "losses"} <= set(shown)
    assert set(shown) == set(affuse.__all__)
    for name in shown:
        assert getattr(affuse, name) is not None
    assert callable(affuse.export)  # and no module of that name


def test_a_type_checker_is_told_the_same_names() -> None:
    import ast
    from pathlib import Path

    tree = ast.parse(Path(str(affuse.__file__)).read_text("utf-8"))
    told = {
        alias.asname or alias.name
        for block in tree.body
        if isinstance(block, ast.If)
        for line in block.body
        if isinstance(line, ast.ImportFrom)
        for alias in line.names
    }
    assert told == set(affuse.__all__) - {"__version__"}


@pytest.mark.parametrize(
    ("module", "slip", "meant"),
    [("affuse", "lode", "load"), ("affuse", "Corpos", "Corpus"), ("affuse.encoders", "VGGis", "VGGish")],
)
def test_a_misspelt_name_is_answered_with_the_nearest(module: str, slip: str, meant: str) -> None:
    import importlib

    with pytest.raises(AttributeError, match=f"no attribute '{slip}'; did you mean '{meant}'"):
        getattr(importlib.import_module(module), slip)


@pytest.mark.parametrize(
    ("name", "slip", "meant"),
    [("train", "foldd", "fold"), ("compare", "ovr", "over"), ("evaluate", "modality", "modalities"),
     ("reproduce", "protocol", "protocols"), ("report", "overwite", "overwrite"), ("demo", "turn", "turns")],
)  # fmt: skip
def test_a_misspelt_argument_is_answered_with_the_nearest(name: str, slip: str, meant: str) -> None:
    function: Any = getattr(affuse, name)
    with pytest.raises(TypeError, match=f"{name} has no argument '{slip}' \\(did you mean '{meant}'"):
        function("a", "b", "c", **{slip: 1})


def test_a_misspelt_option_of_a_corpus_is_answered_with_the_nearest() -> None:
    with pytest.raises(affuse.AffuseError, match="did you mean 'emotions'"):
        affuse.prepare("emodb", "nowhere", "out", emotion=["anger"])
    with pytest.raises(affuse.AffuseError, match="did you mean 'emodb'"):
        affuse.prepare("emodbb", "nowhere", "out")


def test_importing_and_looking_costs_nothing_heavy() -> None:
    code = (
        "import affuse, sys; dir(affuse), affuse.train, affuse.compare, affuse.evaluate, affuse.demo;"
        "print(sorted({'torch', 'pandas', 'lightning', 'numpy', 'rich'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "['rich']"  # of progress.py


def test_a_call_is_recorded_as_it_was_written_and_the_outermost_counts() -> None:
    @recorded
    def outer(recipe: str, *, over: dict[str, Any], progress: object = None) -> tuple[str, str]:
        return current_call(), inner("x")

    @recorded
    def inner(name: str) -> str:
        return current_call()

    call = "affuse.outer('server', over={'seed': range(0, 3)})"
    assert outer("server", over={"seed": range(3)}, progress=object()) == (call, call)
    assert current_call() == ""


def test_the_parts_of_a_family_are_listed_with_a_line_each() -> None:
    for family in ("losses", "weightings", "encoders", "fusions", "recipes"):
        parts = affuse.list_parts(family)
        assert all(parts.values()), parts
    with pytest.raises(affuse.AffuseError, match="did you mean 'losses'"):
        affuse.list_parts("loses")

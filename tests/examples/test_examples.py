"""The examples run as they are shipped: from their own folder's text, in a process or a namespace of their own."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_own_training_in_ten_lines_runs_quietly_and_learns() -> None:
    script = EXAMPLES / "train_in_ten_lines.py"
    environment = os.environ | {"PYTHONPATH": str(EXAMPLES.parent / "src")}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stderr == ""
    shares = {line.partition(":")[0]: float(line.split()[1]) for line in done.stdout.splitlines()}
    assert set(shares) == {"emotion", "gender"}
    assert min(shares.values()) > 90
    ten = script.read_text("utf-8").partition("# the ten lines\n")[2].partition("\n\n")[0]
    assert len(ten.splitlines()) == 10


def test_the_notebook_runs_from_top_to_bottom(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    notebook = json.loads((EXAMPLES / "first_steps.ipynb").read_text("utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = [text for cell in cells if (text := _run("".join(cell["source"]), names))]
    run, frame, evaluation, grid = (text for text in shown if "affuse" in text or "recall" in text)
    assert "<table" in run
    assert "recall" in frame
    assert "left out" in evaluation  # what it was trained on
    assert "<table" in grid
    assert names["axes"].get_xlabel().startswith("BACC")


def _run(source: str, names: dict[str, Any]) -> str:
    """Run a cell; what a notebook shows of its last line, as HTML where there is any."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    if last is None:
        return ""
    assert isinstance(last, ast.Expr)
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    return value._repr_html_() if hasattr(value, "_repr_html_") else repr(value)

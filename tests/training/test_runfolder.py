"""A run folder has one owner: no other module spells its file names, and what is written is read back."""

from __future__ import annotations

import ast
import errno
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import affuse
from affuse.errors import AffuseError
from affuse.failures import SKIPPED
from affuse.recipe import Recipe
from affuse.training import comparison_folder, runfolder
from affuse.training.runfolder import RunFolder, RunResult

SOURCE = Path(affuse.__file__).parent
OWNERS = {  # of names in a run's or a comparison's folder
    "training/runfolder.py", "training/comparison_folder.py", "failures.py",
    "training/evaluate/files.py",  # an evaluation's folder has a calibration.csv too
    "models/index.py",  # a model folder has a recipe.yaml too
    "corpora/readers/emodb.py", "corpora/readers/ravdess.py",  # releases may have an utterances.csv
}  # fmt: skip
RUN = [
    runfolder.ENVIRONMENT, runfolder.RECIPE, runfolder.SPLIT, runfolder.METRICS, runfolder.PREDICTIONS, runfolder.VOTES,
    runfolder.SUBSET_PREDICTIONS, runfolder.EMBEDDINGS, runfolder.STATE, runfolder.RESULTS, runfolder.BASELINE, SKIPPED,
]  # fmt: skip
SPELT = re.compile(
    r"(?<![\w.-])(" + "|".join(map(re.escape, {*RUN, *comparison_folder.FILES})) + r")(?![\w-]|\.\w)"
)


def spelt_in(tree: ast.AST) -> Iterator[str]:
    """The names that string constants spell; docstrings and ``help`` of a command are words for people."""
    words: set[int] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            words.add(id(body[0].value))
        if isinstance(node, ast.keyword) and node.arg == "help":
            words.update(id(part) for part in ast.walk(node.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in words:
            yield from SPELT.findall(node.value)


def test_no_other_module_spells_a_name_of_a_run_or_comparison_folder() -> None:
    found = [
        f"{path.relative_to(SOURCE)}: {name}"
        for path in SOURCE.rglob("*.py")
        if path.relative_to(SOURCE).as_posix() not in OWNERS
        for name in spelt_in(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not found


def test_the_search_finds_names_in_paths_and_messages_but_not_in_docstrings() -> None:
    words = 'def f(out):\n    """predictions.csv"""\n    g(help="split.csv")\n'
    code = words + '    return out / "metrics.csv", f"no {out}/results.json"'
    assert list(spelt_in(ast.parse(code))) == ["metrics.csv", "results.json"]


RESULT = {
    "key": "k", "fold": 1, "seed": 2, "best_epoch": 3, "epochs": 4, "utterances": {"test": 5}, "parameters": 6,
    "seconds": 0.5, "finished": "2026-01-31", "stamp": "", "on_test": "", "training": "",
    "metrics": {"emotion": {"acc": 0.5}}, "last_epoch": {"epoch": 4.0},
}  # fmt: skip


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    assert (run.begun, run.finished, run.has_model, run.has_predictions, run.has_subsets) == (False,) * 5
    assert run.result("k") is None
    assert run.recorded() == run.environment() == run.recipe_fields() == {}
    assert run.metrics().empty
    assert run.embeddings() is None
    recipe = Recipe.load("server")
    table = pd.DataFrame(
        {"id": ["01", "null"], "role": ["validation", "test"], "fold": 0, "emotion": ["no", ""],
         "emotion_predicted": "no", "emotion_p_no": [0.5, 0.25], "emotion_p_1_p_2": [0.5, 0.75]}
    )  # fmt: skip
    run.write_environment({"key": "k"})
    run.write_recipe(recipe)
    run.write_metrics([{"epoch": 1, "lr": 0.1}, {"epoch": 2}])
    run.write_predictions(table)
    run.write_subset_predictions(table.assign(modalities="audio"))
    run.write_embeddings(["01"], np.array([[0.5, 2.0]]))
    run.write_split(table[["id", "fold", "role"]])
    run.write_skipped(pd.DataFrame({"id": ["x"], "cause": ["gone"]}))
    run.state.parent.mkdir()
    run.state.write_text("half")
    assert run.begun
    assert not run.finished
    run.write_result(RunResult.of(run.path, RESULT))
    assert run.finished
    assert not run.state.exists()
    assert run.result("k") == RunResult.of(run.path, RESULT)
    assert run.recorded() == RESULT
    assert run.recipe() == recipe
    assert run.recipe_fields()["name"] == "server"
    assert run.metrics()["lr"].isna().tolist() == [False, True]
    pd.testing.assert_frame_equal(run.predictions(), table)
    assert run.predictions("test")["id"].tolist() == ["null"]
    assert run.subset_predictions()["modalities"].tolist() == ["audio"]
    ids, embedding = run.embeddings() or ([], np.zeros(0))
    assert (ids, embedding.tolist()) == (["01"], [[0.5, 2.0]])
    assert run.split()["id"].tolist() == ["01", "null"]
    assert run.skipped()["cause"].tolist() == ["gone"]


def test_a_result_of_a_later_affuse_is_read_and_one_of_an_earlier_has_defaults(tmp_path: Path) -> None:
    known = {"key": "k", "fold": 0, "seed": 0, "best_epoch": 1, "epochs": 1, "metrics": {}}
    (tmp_path / runfolder.RESULTS).write_text(json.dumps(known | {"colour": "blue"}))
    assert RunFolder(tmp_path).result("k") == RunResult(tmp_path, 0, 0, 1, 1, {}, key="k")


def test_another_runs_folder_is_refused(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_environment({"key": "k"})
    with pytest.raises(AffuseError, match="unfinished run of another recipe"):
        run.result("other")
    run.write_result(RunResult.of(tmp_path, RESULT))
    with pytest.raises(AffuseError, match="finished run of another recipe"):
        run.result("other")


def test_a_training_is_not_lost_where_its_result_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path)
    run.state.parent.mkdir()
    run.state.write_bytes(b"weights")

    def full(path: Path, data: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(runfolder, "write_json", full)
        with pytest.raises(OSError, match="No space"):
            run.write_result(RunResult(tmp_path, 0, 0, 1, 1, {}))
    assert run.state.read_bytes() == b"weights"
    run.write_result(RunResult(tmp_path, 0, 0, 1, 1, {}))
    assert run.finished
    assert not run.state.exists()

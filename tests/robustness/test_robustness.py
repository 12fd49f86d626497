"""docs/robustness.md is true: every line of its table is tried on a real file, by the command line."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
import torch

from affuse.models.defaults import ClipSeconds, PredictionDefaults
from affuse.models.network import Model
from affuse.models.saving import save_model
from affuse.recipe import Recipe
from command import affuse
from robustness.situations import SITUATIONS, Line, Place, read_lines

for module in sorted(Path(__file__).parent.glob("*.py")):
    if module.stem not in ("situations", "__init__", "test_robustness"):
        import_module(f"robustness.{module.stem}")

LINES = read_lines()
CODES = {"read": 0, "noted": 0, "skipped": 1, "refused": 2}


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory):
    torch.manual_seed(0)
    recipe = Recipe.parse({
        "name": "tried", "modalities": {"audio": {"encoder": "logmel", "options": {"bands": 16}}},
    })  # fmt: skip
    made = Model(recipe, {"emotion": ["anger", "neutral"]}).eval()
    made.defaults = PredictionDefaults(clip_seconds=ClipSeconds(median=1.0, low=0.5, high=2.0))
    folder = tmp_path_factory.mktemp("model") / "model"
    save_model(made, folder)
    return folder


def test_every_line_is_tried_and_every_trial_has_a_line() -> None:
    assert [line.name for line in LINES if line.name not in SITUATIONS] == []
    assert sorted(set(SITUATIONS) - {line.name for line in LINES}) == []
    assert len({line.name for line in LINES}) == len(LINES)


@pytest.mark.parametrize("line", LINES, ids=[line.name for line in LINES])
def test_the_line_is_true(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    model: Path,
    line: Line,
) -> None:
    place = Place(tmp_path / "here", model, tmp_path / "out")
    place.folder.mkdir()
    monkeypatch.chdir(place.folder)
    command = SITUATIONS[line.name](place)
    before = contents(place.folder)
    ran = affuse(capsys, monkeypatch, *command.words)
    assert ran.code == CODES[line.outcome], ran.err
    assert "Traceback" not in ran.err
    told = " ".join((ran.out + ran.err).split())
    for words in line.said:
        assert words in told
    assert line.said or line.outcome == "read", "the line quotes nothing of what affuse says"
    if line.outcome == "refused":
        assert contents(place.folder) == before, "a command that is refused writes nothing"
        assert not place.out.exists() or place.out.is_file() or not any(place.out.iterdir())
    if line.outcome == "skipped" and place.out.is_dir():
        assert (place.out / "skipped.csv").is_file()
    command.check(place)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

"""``affuse report`` replaces its own pages, and nobody else's."""

from pathlib import Path

import pytest

from affuse.files.outputs import RECORD
from affuse.training.comparison_folder import FILES, check_comparison_folder, comparison_outputs
from command import affuse
from comparison_folder import make_comparison


def test_an_edited_page_is_its_editors(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_comparison(tmp_path, {"cross_entropy": 0.7, "center": 0.8}, speakers=4, each=6, seeds=(0,), folds=2)
    words = tmp_path / "report.md"
    assert affuse(capsys, monkeypatch, "report", tmp_path).code == 0
    assert affuse(capsys, monkeypatch, "report", tmp_path).code == 0
    words.write_text(words.read_text() + "and what I think of it\n")
    ran = affuse(capsys, monkeypatch, "report", tmp_path)
    assert ran.code == 2
    assert "report.md is there already and was changed since affuse wrote it" in ran.err
    ran = affuse(capsys, monkeypatch, "report", tmp_path, "--overwrite")
    assert ran.code == 0
    assert "what I think" not in words.read_text()


def test_a_comparison_of_an_affuse_that_kept_no_record_goes_on_after_its_report(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_comparison(tmp_path, {"cross_entropy": 0.7, "center": 0.8}, speakers=4, each=6, seeds=(0,), folds=2)
    assert not (tmp_path / RECORD).exists()
    assert affuse(capsys, monkeypatch, "report", tmp_path).code == 0
    check_comparison_folder(tmp_path, comparison_outputs(tmp_path))
    written = {path.name for path in tmp_path.iterdir() if path.is_file()} - {RECORD}
    assert written <= set(FILES)  # all of them are looked at before any work


def test_an_interrupted_comparison_of_such_an_affuse_goes_on(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "loss=center" / "fold0"
    run.mkdir(parents=True)
    for file in (run / "environment.json", tmp_path / "skipped.csv"):
        file.write_text("{}")
    check_comparison_folder(tmp_path, comparison_outputs(tmp_path))

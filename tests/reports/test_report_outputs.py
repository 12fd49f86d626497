"""``affuse report`` replaces its own pages, and nobody else's."""

from command import affuse
from comparison_folder import make_comparison


def test_an_edited_page_is_its_editors(capsys, monkeypatch, tmp_path):
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

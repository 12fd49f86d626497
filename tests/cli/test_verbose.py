"""``--verbose``: which runs train in stacks, and why others do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from command import affuse
from small_corpus import make_corpus

SMALL = [
    "--set", "modalities.text=null", "--set", "modalities.audio.encoder=logmel",
    "--set", "modalities.audio.options.bands=16", "--set", "protocol.by=session",
    "--set", "protocol.validation.by=session", "--set", "epochs=1",
]  # fmt: skip
REASON = "server with cross_entropy is not stacked, since training.engine is lightning."


def test_ways_are_told_where_they_are_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_corpus(tmp_path, speakers=6, each=2)
    monkeypatch.setenv("AFFUSE_CACHE", str(tmp_path / "cache"))
    words = ["compare", "server", tmp_path / "corpus", "--out", tmp_path / "c", *SMALL, "--fold", "0,1",
             "--over", "training.engine=auto,lightning", "--no-baseline", "--jobs", "1"]  # fmt: skip
    ran = affuse(capsys, monkeypatch, *words, "--verbose")
    assert ran.code == 0
    assert ran.err.splitlines().count(REASON) == 1
    assert "server: 2 runs in 1 stack of up to 2." in ran.err.splitlines()
    assert "stack" not in ran.out
    quiet = affuse(capsys, monkeypatch, *words)
    assert quiet.code == 0
    assert "stack" not in quiet.err
    assert quiet.out == ran.out
    words = ["train", "server", tmp_path / "corpus", "--out", tmp_path / "r", *SMALL]
    assert "server: a stack of one." in affuse(capsys, monkeypatch, *words, "--verbose").err.splitlines()

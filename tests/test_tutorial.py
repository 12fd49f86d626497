"""docs/tutorial.md: its commands run, one after another, as they stand there."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pandas as pd
import pytest

from command import affuse
from documents import ROOT, Block, code_blocks
from models.stand_in import TOKEN, hub


def commands(block: Block) -> list[list[str]]:
    """The words of every line of an ``sh`` block."""
    return [shlex.split(line, comments=True) for line in block.code.splitlines() if line.strip()]


def test_the_tutorial_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from huggingface_hub import constants

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AFFUSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        os, "cpu_count", lambda: 1
    )  # processes of their own take longer to start than to train
    blocks = [block for block in code_blocks(ROOT / "docs/tutorial.md") if block.language]
    assert {block.language for block in blocks} == {"sh", "python"}
    with hub() as server:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, server.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        for block in blocks:
            if block.language == "python":
                exec(compile(block.code, "docs/tutorial.md", "exec"), {})
                continue
            for program, *words in commands(block):
                assert program == "affuse"
                ran = affuse(capsys, monkeypatch, *words)
                assert ran.code == 0, f"affuse {' '.join(words)}\n{ran.err}"
        assert server.private == {"me/first-emotions"}
    timeline = json.loads((tmp_path / "timelines/Ses05F_impro01.json").read_text())
    assert timeline["segments"]
    assert {path.suffix for path in (tmp_path / "timelines").glob("Ses05F*")} == {".json", ".srt", ".png"}
    results = pd.read_csv(tmp_path / "runs/losses/results.csv")
    assert {"cross_entropy", "center"} <= set(results["loss"])
    assert (tmp_path / "runs/losses/report.html").stat().st_size > 10_000
    assert (tmp_path / "runs/one-evaluated/metrics.csv").is_file()
    assert (tmp_path / "models/first-emotions/README.md").is_file()

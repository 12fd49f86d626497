"""Runs the command line in this process, as a shell would."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from affuse.cli.app import main


class Ran(NamedTuple):
    code: int
    out: str
    err: str


def affuse(capsys: Any, monkeypatch: pytest.MonkeyPatch, *words: Path | int | str) -> Ran:
    """Exit code, standard output and standard error of ``affuse words...``."""
    monkeypatch.setattr(sys, "argv", ["affuse", *map(str, words)])
    capsys.readouterr()
    try:
        main()
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    return Ran(code, *capsys.readouterr())

"""Runs the command line in this process, as a shell would."""

from __future__ import annotations

import sys
from typing import NamedTuple

from affuse.cli.app import main


class Ran(NamedTuple):
    code: int
    out: str
    err: str


def affuse(capsys, monkeypatch, *words) -> Ran:
    """Exit code, standard output and standard error of ``affuse words...``."""
    monkeypatch.setattr(sys, "argv", ["affuse", *map(str, words)])
    capsys.readouterr()
    try:
        main()
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    return Ran(code, *capsys.readouterr())

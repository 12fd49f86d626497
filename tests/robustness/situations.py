"""Where the lines of docs/robustness.md get their files and commands: a function per line, in this folder's modules."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SITUATIONS: dict[str, Situation] = {}


@dataclass(frozen=True)
class Place:
    """folder: empty, to make files in, and the current folder of the command; model: a folder of a small voice model
    (emotion, 2 classes); out: where the command is to write, it does not exist yet.
    """

    folder: Path
    model: Path
    out: Path


class Command(NamedTuple):
    """What is typed after ``affuse``; ``check`` looks at what it left, and fails by an assertion."""

    words: list[object]
    check: Callable[[Place], None] = lambda place: None


Situation = Callable[[Place], Command]


class Line(NamedTuple):
    """A line of the document."""

    name: str
    outcome: str
    said: list[str]  # the words in quotes


def situation(name: str) -> Callable[[Situation], Situation]:
    """Registers what makes the files of the line ``name`` and returns the command."""

    def register(make: Situation) -> Situation:
        assert name not in SITUATIONS, f"two situations are called {name}"
        SITUATIONS[name] = make
        return make

    return register


def read_lines() -> list[Line]:
    """The lines of docs/robustness.md that have a name, but for the service's; the others head an area."""
    return [line for line in _all_lines() if not line.outcome.isdecimal()]


def read_service_lines() -> list[Line]:
    """Those of the service, whose outcome is a status of HTTP."""
    return [line for line in _all_lines() if line.outcome.isdecimal()]


def _all_lines() -> list[Line]:
    lines: list[Line] = []
    for row in (ROOT / "docs" / "robustness.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip().replace("\0", "|") for cell in row.replace("\\|", "\0").strip("|").split("|")]
        if len(cells) == 4 and (named := re.fullmatch("`(.+)`", cells[0])):
            said = [one.replace("`", "") for one in re.findall('"([^"]+)"', cells[3])]
            lines.append(Line(named[1], cells[2], said))
    return lines

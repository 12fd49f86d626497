"""The code blocks of a Markdown page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    language: str  # "": commands or output that only show something
    code: str


def code_blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, in order."""
    return [Block(*found.groups()) for found in _BLOCK.finditer(page.read_text(encoding="utf-8"))]

"""transcriptions/<dialog>.txt: the words of each turn."""

from __future__ import annotations

import re
from pathlib import Path

from affuse.corpora.readers.iemocap.names import parse_turn
from affuse.corpora.readers.iemocap.release import read_lines

_LINE = re.compile(r"(Ses\w+)\s*\[\s*[\d.]+\s*-\s*[\d.]+\s*\]\s*:\s*(.*)")


def read_transcript(path: Path) -> dict[str, str]:
    """Read the words by turn, with tokens such as [LAUGHTER] and later colons.

    Lines without a turn's name (``M: sorry``) and segments nobody labelled (``..._MXX0``) are passed over: the
    release has them.
    """
    found: dict[str, str] = {}
    for line in read_lines(path):
        match = _LINE.fullmatch(line.strip())
        if match and parse_turn(match[1]):
            found.setdefault(match[1], match[2].strip())
    return found

"""What of a transcript is said: not who says it, not what else is heard."""

from __future__ import annotations

import re
from collections.abc import Sequence

# [Music], (laughs), and the notes about a song's words
_SOUND = re.compile(
    r"\[[^\[\]]*\]|\([^()]*\)|\uff08[^\uff08\uff09]*\uff09|\u3010[^\u3010\u3011]*\u3011|[♩♪♫♬🎵🎶]+"
)
_TURN = re.compile(r"^\s*(?:>>+|[-\u2013\u2014](?=\s|\w))\s*")  # another speaker begins
_SPEAKER = re.compile(r"^\s*\[?speaker[ _]?\w{1,3}\]?\s*:\s*", re.I)
_NAME = re.compile(r"^\s*([^:]{2,40}?)\s*:(?=\s|$)\s*")


def said_in_line(line: str) -> str:
    """A subtitle's line without ``ANNA:``, ``Speaker 1:``, ``>>``, ``- `` and without sounds."""
    line = _TURN.sub("", _SPEAKER.sub("", _TURN.sub("", line)))
    line = _SOUND.sub(" ", line)
    name = _NAME.match(line)
    return line[name.end() :] if name and name[1].isupper() and len(name[1].split()) <= 3 else line


def said(tokens: Sequence[str]) -> list[str]:
    """For every token what of it is said, "" where nothing is; what is in brackets may go over several tokens."""
    text = " ".join(tokens)
    kept = list(text)
    for sound in _SOUND.finditer(text):
        for i in range(*sound.span()):
            kept[i] = ""
    found, at = [], 0
    for token in tokens:
        left = "".join(kept[at : at + len(token)])
        found.append(
            left if left == token or any(map(str.isalnum, left)) else ""
        )  # "[Music]." leaves a point
        at += len(token) + 1
    return found


def said_text(text: str) -> str:
    """``said`` of a whole text."""
    return " ".join(token for token in said(text.split()) if token)

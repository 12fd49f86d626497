"""LRC: a song's lines, or a talk's, each behind the time at which it begins."""

from __future__ import annotations

import re
from pathlib import Path

from affuse.inference.words.cues import Cue, timed
from affuse.inference.words.spoken import said_text
from affuse.inference.words.subtitles import words_of
from affuse.inference.words.times import TIME, seconds

_STAMP = re.compile(rf"\s*\[{TIME}\]")
LINE = re.compile(rf"^\s*\[{TIME}\]", re.M)
_OFFSET = re.compile(r"^\s*\[offset:\s*([+-]?\d+)\s*\]", re.M | re.I)


def read_lyrics(path: Path, text: str) -> list[Cue]:
    """Each line lasts until the next begins, an empty one too; a line with several times is said several times.

    ``[offset:+500]`` makes all begin 500 ms earlier. Words with times of their own (``<00:12.50>word``) keep them.
    """
    shift = _OFFSET.search(text)
    earlier = int(shift[1]) / 1000 if shift else 0.0
    lines: list[tuple[float, str]] = []
    for line in text.split("\n"):
        starts = []
        while stamp := _STAMP.match(line):
            starts.append(seconds(stamp.groups()))
            line = line[stamp.end() :]
        lines += [(start, line) for start in starts]
    lines.sort(key=lambda one: one[0])
    cues = []
    for i, (start, line) in enumerate(lines):
        end = next((later for later, _ in lines[i + 1 :] if later > start), None)
        words = words_of(line, start, start if end is None else end)
        plain = " ".join(word.text for word in words) if words else said_text(re.sub(rf"<{TIME}>", " ", line))
        begin, finish = max(0.0, start - earlier), None if end is None else max(0.0, end - earlier)
        moved = tuple(
            w._replace(start=max(0.0, w.start - earlier), end=max(0.0, w.end - earlier)) for w in words
        )
        cues.append(Cue(begin, finish, plain, moved))
    return timed(cues)

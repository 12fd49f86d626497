"""Plain text with times in it, as people copy or type it: before a line, above it, or behind a speaker's name."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from affuse.inference.words.cues import Cue, timed
from affuse.inference.words.spoken import said_in_line, said_text
from affuse.inference.words.times import TIME, seconds

_TIMES = rf"[\[(]?{TIME}(?:\s*[-\u2013\u2014]\s*{TIME})?[\])]?"
# 0:03 words   (0:03) words   [00:03 - 00:05] words   0:03 alone, the words below (YouTube's transcript)
_BEFORE = re.compile(rf"^\s*{_TIMES}(?:\s*[-\u2013\u2014:|])?(?:\s+(?P<rest>.*))?$")
# Speaker 1 (0:03):   Anna  0:03   the words below (Otter, Teams, Zoom)
_BEHIND = re.compile(rf"^\s*(?P<name>\w[\w.'-]*(?: [\w.'-]+){{0,3}})[\s,|]+{_TIMES}\s*:?$")


class _Passage(NamedTuple):
    """A time and the lines that are said from then on."""

    start: float
    end: float | None
    lines: list[str]


def is_stamped(text: str) -> bool:
    """Whether the first line has a time, another one too, words follow each, and the times never go backward."""
    passages = _passages(text)
    starts = [passage.start for passage in passages]
    return (
        len(starts) > 1
        and all(passage.lines for passage in passages)
        and all(one <= other for one, other in pairwise(starts))
    )


def read_stamped(text: str) -> list[Cue]:
    """The words of a time last until its end where it has one, else until the next time."""
    passages = _passages(text)
    cues = []
    for i, (start, end, lines) in enumerate(passages):
        if end is None or end <= start:
            end = next((later.start for later in passages[i + 1 :] if later.start > start), None)
        cues.append(Cue(start, end, said_text(" ".join(map(said_in_line, lines)))))
    return timed(cues)


def _passages(text: str) -> list[_Passage]:
    """In the manner of the first line; none where it has no time."""
    lines = [line for line in text.split("\n") if line.strip()]
    passages: list[_Passage] = []
    for find in (_before, _behind):
        if lines and find(lines[0]) is not None:
            for line in lines:
                passage = find(line)
                if passage is None:
                    passages[-1].lines.append(line)
                else:
                    passages.append(passage)
            break
    return passages


def _before(line: str) -> _Passage | None:
    found = _BEFORE.match(line)
    return _passage(found.groups()[:8], [found["rest"]] if found["rest"] else []) if found else None


def _behind(line: str) -> _Passage | None:
    """A name has capitals: "we meet at 10:30" is said."""
    found = _BEHIND.match(line)
    if found is None or not all(part[0].isupper() or part[0].isdigit() for part in found["name"].split()):
        return None
    return _passage(found.groups()[1:], [])


def _passage(times: tuple[str | None, ...], lines: list[str]) -> _Passage:
    return _Passage(seconds(times[:4]), None if times[6] is None else seconds(times[4:]), lines)

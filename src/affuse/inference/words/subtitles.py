"""SRT, WebVTT and SBV as they are found: also without blank lines, numbers, hours or fractions.

Written here, since pysubs2 drops cues whose times lack hours or fractions, takes a spoken number at a cue's end for the
next cue's, and does not read SBV.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from affuse.errors import AffuseError
from affuse.inference.words.cues import Cue, Word, deal, timed
from affuse.inference.words.rolling_captions import new_lines
from affuse.inference.words.spoken import said, said_in_line, said_text
from affuse.inference.words.times import TIME, seconds

ARROW = re.compile(rf"^\s*{TIME}\s*(?:-{{1,3}}\s?>|[\u2013\u2014→]>?)\s*{TIME}(?=\s|$)", re.M)
SBV = re.compile(rf"^\s*{TIME}\s*,\s*{TIME}\s*$", re.M)
_NEARLY = re.compile(r"^\s*-?\d[\d\s]*[:.,;][^>]*-+>")  # 00:00:01,000 --> 00:00:0x,000
_INLINE = re.compile(rf"<{TIME}>")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<\d[\d:.,]*>|\{\\[^}]*\}|\\[Nh]|\[br\]")  # <i>, <v Ann>, {\an8}, \N
_ASIDE = re.compile(r"(?:NOTE|STYLE|REGION|WEBVTT)(?:\s|$)")


class _Raw(NamedTuple):
    """A cue as it is shown; ``lines`` with their mark-up."""

    start: float
    end: float
    lines: list[str]


def parse_cues(text: str, path: str | Path = "the text") -> list[Cue]:
    """Cues of SRT, WebVTT or SBV text.

    Numbers, identifiers, settings, notes and styles are passed over; mark-up, speakers' labels and sounds in brackets
    are taken out. Lines that a rolling caption carries over count once.

    Raises:
        AffuseError: Naming ``path``, for times that cannot be read, and for a cue that ends before it starts.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    arrow = ARROW if ARROW.search(text) else SBV
    web = lines[0].startswith("WEBVTT") or str(path).lower().endswith(".vtt")
    if web:
        lines = _without_asides(lines)
    raw = _raw_cues(lines, arrow, web, path)
    kept = new_lines([(cue.end - cue.start, [_plain(line) for line in cue.lines]) for cue in raw],
                     [any(_INLINE.search(line) for line in cue.lines) for cue in raw])  # fmt: skip
    cues = [
        _cue(cue._replace(lines=[cue.lines[i] for i in keep])) for cue, keep in zip(raw, kept, strict=True)
    ]
    return timed(cues)


def words_of(text: str, start: float, end: float) -> tuple[Word, ...]:
    """Words with times of their own, as in ``so <00:01.700>then``.

    Seconds of the clip; none where there are no times, or where they go backward.
    """
    pieces = _INLINE.split(text)  # text, then hours, minutes, seconds, fraction, text of each
    edges = [start, *(seconds(tuple(pieces[i : i + 4])) for i in range(1, len(pieces), 5)), end]
    if len(edges) == 2 or edges != sorted(edges):
        return ()
    words: list[Word] = []
    for i, piece in enumerate(pieces[::5]):
        words += deal(_plain(piece).split(), edges[i], edges[i + 1])
    kept = said([word.text for word in words])
    return tuple(word._replace(text=one) for word, one in zip(words, kept, strict=True) if one)


def _raw_cues(lines: Sequence[str], arrow: re.Pattern[str], web: bool, path: str | Path) -> list[_Raw]:
    at = [i for i, line in enumerate(lines) if arrow.match(line)]
    for i, line in enumerate(lines):
        if _NEARLY.match(line) and not arrow.match(line):
            raise AffuseError(
                f"{path}, line {i + 1}: {line.strip()!r} is not a time that can be read; correct it."
            )
    ends = [*_heads(lines, at, web), len(lines)][1:]
    cues = []
    for count, (i, last) in enumerate(zip(at, ends, strict=False), start=1):
        found = arrow.match(lines[i])
        assert found is not None
        start, end = seconds(found.groups()[:4]), seconds(found.groups()[4:])
        if end < start:
            times = " ".join(found[0].split())
            raise AffuseError(f"{path}, cue {count}: {times} ends before it starts; correct its times.")
        cues.append(_Raw(start, end, [line for line in lines[i + 1 : last] if line.strip()]))
    return cues


def _heads(lines: Sequence[str], at: Sequence[int], web: bool) -> list[int]:
    """For each line of times, where what belongs to it begins: the number or identifier above it, or itself.

    A number above is the cue's where a blank line is above it, where all cues have one, or where it counts on; any
    other is spoken ("1984").
    """
    above = [  # the nearest line with something in it, or the times themselves
        next((j for j in range(i - 1, before, -1) if lines[j].strip()), i)
        for before, i in zip([-1, *at], at, strict=False)
    ]
    numbers = [int(lines[j]) if lines[j].strip().isdecimal() else None for j in above]
    heads: list[int] = []
    last = None
    for i, j, number in zip(at, above, numbers, strict=True):
        next_to = j == i - 1
        if number is not None and (
            (next_to and (j == 0 or not lines[j - 1].strip()))
            or None not in numbers
            or (last is not None and number == last + 1)
        ):
            heads.append(j)
            last = number
        else:
            identifier = web and next_to and (j == 0 or lines[j - 1] == "")
            heads.append(j if identifier else i)
    return heads


def _without_asides(lines: Sequence[str]) -> list[str]:
    """WebVTT without its header, notes, styles and regions: from such a word to the next blank line, or to a cue."""
    kept: list[str] = []
    aside, blank = False, True
    for line in lines:
        if blank and _ASIDE.match(line):
            aside = True
        elif not line.strip() or ARROW.match(line):
            aside = False
        kept.append("" if aside else line)
        blank = not line.strip()
    return kept


def _cue(raw: _Raw) -> Cue:
    words = words_of(" ".join(raw.lines), *raw[:2])
    if words:
        return Cue(raw.start, raw.end, " ".join(word.text for word in words), words)
    return Cue(raw.start, raw.end, said_text(" ".join(said_in_line(_plain(line)) for line in raw.lines)))


def _plain(line: str) -> str:
    """Without mark-up. Tags stand within words, line breaks between them."""
    text = _TAG.sub(lambda tag: " " if tag[0] in ("\\N", "\\h", "[br]") else "", line)
    return " ".join(html.unescape(text).split())

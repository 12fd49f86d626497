"""Captions that roll: YouTube's own, and broadcast ones, show each line again above the next."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

_MOMENT = 0.1  # seconds: YouTube puts a cue of 10 ms between two others, for nobody to read


def new_lines(cues: Sequence[tuple[float, Sequence[str]]], spoken: Sequence[bool]) -> list[list[int]]:
    """For each cue the numbers of its lines that the one before did not show; all, where the file does not roll.

    cues: (seconds, lines without mark-up); spoken: whether a cue times its words

    A cue of more than a moment brings one new line at least, so what is said twice, in cues or lines of its own, counts
    twice. A file rolls if a cue that times its words or lasts a moment carries lines over, or if two cues do and more,
    and most cues.
    """
    carried = [0]
    for (_, shown), (lasts, lines) in pairwise(cues):
        most = min(len(shown), len(lines) if lasts < _MOMENT else len(lines) - 1)
        fits = (k for k in range(most, 0, -1) if list(shown[-k:]) == list(lines[:k]))
        carried.append(next(fits, 0))
    sure = any(
        lines and (lasts < _MOMENT or times)
        for lines, (lasts, _), times in zip(carried, cues, spoken, strict=False)
    )
    count = sum(map(bool, carried))
    rolls = sure or (count >= 2 and 2 * count > len(cues) - 1)
    return [
        list(range(count if rolls else 0, len(lines)))
        for count, (_, lines) in zip(carried, cues, strict=False)
    ]

"""Captions that roll: YouTube's own, and broadcast ones, show each line again above the next."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

_MOMENT = 0.1  # seconds: YouTube puts a cue of 10 ms between two others, for nobody to read


def new_lines(cues: Sequence[tuple[float, Sequence[str]]], spoken: Sequence[bool]) -> list[list[int]]:
    """For each cue the numbers of its lines that the one before did not show; all, where the file does not roll.

    cues: (seconds, lines without mark-up); spoken: whether a cue times its words

    A cue of more than a moment brings one new line at least, so what is said twice, in cues or lines of its own, counts
    twice. A file rolls if a cue that times its words or lasts a moment carries lines over, or if two and more cues, and
    half of those with several lines, do.
    """
    carried = [0]
    for (_, shown), (lasts, lines) in pairwise(cues):
        most = min(len(shown), len(lines) if lasts < _MOMENT else len(lines) - 1)
        fits = (k for k in range(most, 0, -1) if list(shown[-k:]) == list(lines[:k]))
        carried.append(next(fits, 0))
    sure = any(
        count and (lasts < _MOMENT or times)
        for count, (lasts, _), times in zip(carried, cues, spoken, strict=False)
    )
    several = sum(len(lines) > 1 for _, lines in cues[1:])
    rolls = sure or (sum(map(bool, carried)) >= 2 and 2 * sum(map(bool, carried)) >= several)
    return [
        list(range(count if rolls else 0, len(lines)))
        for count, (_, lines) in zip(carried, cues, strict=False)
    ]

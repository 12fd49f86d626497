"""What every reader of words returns: cues, and in them words with times of their own where the file has them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from affuse.errors import AffuseError

_PAUSE = 0.5  # seconds without a word, at which a recogniser's row of words becomes another cue
# How long a cue lasts whose file does not tell: as pysubs2 guesses for such files (15 letters a second)
_LEAST, _LETTER = 0.5, 0.067


class Word(NamedTuple):
    """Seconds of the clip."""

    start: float
    end: float
    text: str


class Cue(NamedTuple):
    """Some words and when they are said; both times are None where the file does not say.

    ``words``: the same words with a time each, or none.
    """

    start: float | None
    end: float | None
    text: str
    words: tuple[Word, ...] = ()


class Transcript(NamedTuple):
    """A file of words.

    ``whole``: a table whose times are whole numbers, which may be milliseconds; ``bare``: its times are numbers without
    hours and minutes, which may be of another unit.
    """

    cues: list[Cue]
    path: Path | None = None
    notes: tuple[str, ...] = ()  # what should be known of it, in sentences
    whole: bool = False
    bare: bool = False


class Times(NamedTuple):
    """Seconds, as a file has them; ``end`` None where it does not tell."""

    start: float
    end: float | None

    @classmethod
    def of(cls, where: str, start: object, end: object, scale: float = 1.0) -> Times:
        """Times of numbers or of their texts, divided by ``scale``.

        Raises:
            AffuseError: Beginning with ``where``, unless they are numbers from 0 with the end not before the start.
        """
        first, last = _number(start), None if end is None else _number(end)
        if first is None or (end is not None and last is None):
            raise AffuseError(f"{where}: start {start!r} and end {end!r} must be seconds.")
        if first < 0:
            raise AffuseError(f"{where}: start {first:g} is before the clip; correct its times.")
        if last is not None and last < first:
            raise AffuseError(f"{where}: end {last:g} is not after start {first:g}; correct its times.")
        return cls(first / scale, None if last is None else last / scale)


def timed(cues: Iterable[Cue]) -> list[Cue]:
    """Cues with words in them, each with an end.

    One without an end, or of no length, lasts until the next begins, or as long as its letters take to say.
    """
    cues = [cue for cue in cues if cue.text]
    starts = sorted({cue.start for cue in cues if cue.start is not None})
    closed = []
    for cue in cues:
        if cue.start is not None and (cue.end is None or cue.end <= cue.start):
            end = cue.start + _LEAST + _LETTER * len(cue.text)
            later = next((start for start in starts if start > cue.start), end)
            cue = cue._replace(end=min(end, later))
        closed.append(cue)
    return list(dict.fromkeys(closed))  # styled subtitles draw one line several times over


def deal(tokens: Sequence[str], start: float, end: float) -> list[Word]:
    """The time from start to end, dealt out to the words by their letters."""
    letters = sum(map(len, tokens))
    words, said = [], 0
    for token in tokens:
        begin = start + (end - start) * said / letters
        said += len(token)
        words.append(Word(begin, start + (end - start) * said / letters, token))
    return words


def phrases(words: Iterable[Word]) -> list[Cue]:
    """Words that follow each other without a pause make a cue."""
    groups: list[list[Word]] = []
    for word in sorted(words):
        if groups and word.start - groups[-1][-1].end < _PAUSE:
            groups[-1].append(word)
        else:
            groups.append([word])
    return [
        Cue(group[0].start, max(w.end for w in group), " ".join(w.text for w in group), tuple(group))
        for group in groups
    ]


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None

"""The part of a file that is predicted: a row of a table may be one of many clips in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from affuse.errors import ClipError
from affuse.inference.settings import Settings
from affuse.inference.words import Cue
from affuse.media.samples import Samples

_SHORT = 0.5  # seconds by which a file may end before the range does, without a word


class ClipRange(NamedTuple):
    """Seconds from the file's beginning; ``end`` None: to the file's end."""

    start: float
    end: float | None

    @classmethod
    def of(cls, path: Path | Samples, settings: Settings) -> ClipRange:
        """What the settings ask of the file.

        Raises:
            ClipError: For a range that no file has.
        """
        start, end = settings.start, settings.end
        for name, value in (("start", start), ("end", end)):
            if value is not None and value < 0:
                raise ClipError(
                    f"{path} cannot have {name} {value:g} s, before its beginning; correct the {name}."
                )
        if end is not None and end <= (start or 0.0):
            raise ClipError(
                f"{path} cannot be predicted from {start or 0:g} s to {end:g} s, because the end is not after the "
                "start; correct start and end."
            )
        return cls(start or 0.0, end)

    @property
    def whole(self) -> bool:
        """Whether it is the whole file, however long that is."""
        return not self.start and self.end is None

    def until(self, seconds: float) -> float:
        """When it ends in a file of so many seconds."""
        return seconds if self.end is None else min(seconds, self.end)

    def file_seconds(self, heard: float, stated: float | None) -> float:
        """How long the file is, as far as is known: ``heard`` if it was read to its end, else what it says itself."""
        return heard if self.end is None else max(heard, math.inf if stated is None else stated)

    def remarks(self, path: Path | Samples, seconds: float) -> list[str]:
        """What is to be said where the file ends at ``seconds``, within the range.

        Raises:
            ClipError: Before it.
        """
        if self.whole:
            return []
        if seconds <= self.start:
            raise ClipError(
                f"{path} is {seconds:.2f} s long, so nothing starts at {self.start:g} s; correct the start."
            )
        if self.end is not None and self.end - seconds > _SHORT:
            return [f"{path} ends at {seconds:.2f} s, the range at {self.end:g} s; what is there is used."]
        return []

    def cues(self, cues: Sequence[Cue]) -> list[Cue]:
        """What of the cues is said within the range; those without times are."""
        return [part for cue in cues if (part := self._part(cue)).text]

    def _part(self, cue: Cue) -> Cue:
        """The words of a cue whose middle lies in the range, if each takes time by its letters."""
        if cue.start is None or cue.end is None or self.whole:
            return cue
        start, end = max(cue.start, self.start), min(cue.end, math.inf if self.end is None else self.end)
        if (start, end) == (cue.start, cue.end):
            return cue
        words = cue.text.split()
        letter = (cue.end - cue.start) / max(1, sum(map(len, words)))
        kept, said = [], 0
        for word in words:
            if (
                self.start
                <= cue.start + letter * (said + len(word) / 2)
                < (math.inf if self.end is None else self.end)
            ):
                kept.append(word)
            said += len(word)
        return Cue(start, end, " ".join(kept) if end > start else "")

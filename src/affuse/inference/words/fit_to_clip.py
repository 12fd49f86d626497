"""Whether a file of words fits the clip's length, and what is to be said where it does not."""

from __future__ import annotations

from typing import NamedTuple

from affuse.errors import ClipError
from affuse.inference.words.cues import Cue, Transcript, timed

_FAR = 2.0  # seconds that the last cue may linger after the clip: no fault of anybody's
# Nobody takes 30 s for a letter, nor says more than 33 letters in a second for a whole file: times of 30 and more for
# each letter are milliseconds.
_PER_LETTER = 30.0
_PER_SECOND = 1000


class Fitted(NamedTuple):
    """Cues that begin within the clip; ``strange``: what is wrong with the others; notes: what should be known."""

    cues: list[Cue]
    strange: list[str]
    notes: list[str]


def fit(transcript: Transcript, seconds: float) -> Fitted:
    """The cues of a clip of so many seconds.

    Times of a table that are whole numbers are taken for milliseconds, as Whisper writes them, where seconds would go
    beyond the clip (or beyond a quarter of an hour) and each letter would take half a minute.

    Raises:
        ClipError: For other bare numbers that look so.
    """
    cues, notes = transcript.cues, list(transcript.notes)
    last, per_letter = _extent(cues)
    beyond = last > seconds + _FAR
    if per_letter >= _PER_LETTER and last / _PER_SECOND <= seconds + _FAR:
        if transcript.whole and (beyond or last >= _PER_SECOND):
            cues = [_scaled(cue) for cue in cues]
            if not beyond:
                notes.append(
                    f"The times of {transcript.path} are taken for milliseconds: seconds would be too slow."
                )
        elif beyond and transcript.bare:
            raise ClipError(
                f"{transcript.path} has times up to {last:g} for a clip of {seconds:.2f} s: that looks like "
                "milliseconds; write seconds."
            )
    cues = timed(cues)
    outside = [cue for cue in cues if cue.start is not None and cue.start >= seconds]
    inside = [cue for cue in cues if cue not in outside]
    strange = _outside(len(outside), len(cues), seconds, transcript)
    far = [cue for cue in inside if cue.end is not None and cue.end > seconds + _FAR]
    if far:
        end = max(cue.end or 0.0 for cue in far)
        some = f"{len(far)} of the {len(cues)} cues {'ends' if len(far) == 1 else 'end'}"
        strange.append(
            f"{some if len(cues) > 1 else 'The only cue ends'} far beyond the clip's {seconds:.2f} s, at {end:.2f} s: "
            f"does {transcript.path} belong to this clip?"
        )
    return Fitted(inside, strange, notes)


def _outside(count: int, total: int, seconds: float, transcript: Transcript) -> list[str]:
    """What is to be said of so many cues that begin after the clip's end."""
    if not count:
        return []
    if count == total:
        cues = f"None of the {count} cues lies" if count > 1 else "The only cue does not lie"
        return [f"{cues} within the clip's {seconds:.2f} s: is {transcript.path} another clip's text?"]
    begin = f"{count} of the {total} cues {'begins' if count == 1 else 'begin'}"
    return [f"{begin} after the clip's end: left out."]


def _extent(cues: list[Cue]) -> tuple[float, float]:
    """The last end, and how long a letter takes; 0 where there are no times."""
    spans = [
        (cue.start, cue.end, len(cue.text)) for cue in cues if cue.start is not None and cue.end is not None
    ]
    letters = sum(count for *_, count in spans)
    last = max((end for _, end, _ in spans), default=0.0)
    return last, sum(end - start for start, end, _ in spans) / letters if letters else 0.0


def _scaled(cue: Cue) -> Cue:
    start, end = (None if time is None else time / _PER_SECOND for time in (cue.start, cue.end))
    return cue._replace(start=start, end=end)

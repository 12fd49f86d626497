"""When the words of cues are said: in the speech that their times hold."""

from __future__ import annotations

from collections.abc import Sequence

from affuse.inference.words.cues import Cue, Word
from affuse.media.speech import Span


def speech_with(cues: Sequence[Cue], speech: Sequence[Span], seconds: float) -> list[Span]:
    """The speech, and the time of every cue that none of it touches: whoever wrote the cue heard it.

    Cues end with the clip, at ``seconds``.
    """
    alone = [
        Span(cue.start, min(cue.end, seconds))
        for cue in cues
        if cue.start is not None and cue.end is not None and not _common(cue.start, cue.end, speech)
    ]
    joined: list[Span] = []
    for start, end in sorted([*speech, *alone]):
        if joined and start < joined[-1].end:  # cues may overlap each other
            start, end = joined[-1].start, max(end, joined.pop().end)
        joined.append(Span(start, end))
    return joined


def place(cues: Sequence[Cue], speech: Sequence[Span]) -> list[Word]:
    """Every word with its times: its own where the file has them.

    Else the speech of a cue's time is shared out to its words by their letters; words without times are spread in the
    same way over all of the speech.
    """
    words: list[Word] = []
    for cue in cues:
        if cue.words:
            words += [_heard(word, _common(cue.start or 0.0, cue.end or 0.0, speech)) for word in cue.words]
            continue
        tokens = cue.text.split()
        spans: Sequence[Span] = speech
        if cue.start is not None and cue.end is not None:
            spans = _common(cue.start, cue.end, speech) or [Span(cue.start, cue.end)]
        total = sum(end - start for start, end in spans)
        letters = sum(len(token) for token in tokens)
        said = 0
        for token in tokens:
            middle = _at(spans, total * (said + len(token) / 2) / letters)
            begin = _at(spans, total * said / letters)
            said += len(token)
            end = _at(spans, total * said / letters)
            for span in spans:  # nobody says half a word here and half of it there
                if span.start <= middle <= span.end:
                    begin, end = max(begin, span.start), min(end, span.end)
            words.append(Word(begin, max(begin, end), token))
    return sorted(words)


def text_between(words: Sequence[Word], start: float, end: float) -> str:
    """The words whose middle lies in [start, end)."""
    return " ".join(word.text for word in words if start <= (word.start + word.end) / 2 < end)


def _common(start: float, end: float, spans: Sequence[Span]) -> list[Span]:
    return [Span(max(start, a), min(end, b)) for a, b in spans if max(start, a) < min(end, b)]


def _heard(word: Word, spans: Sequence[Span]) -> Word:
    """The word at the nearest edge of its cue's speech, if its own time is in a pause: no window would hold it."""
    middle = (word.start + word.end) / 2
    if not spans or any(start <= middle < end for start, end in spans):
        return word
    start, end = min(spans, key=lambda span: max(span.start - middle, middle - span.end))
    edge = start if middle < start else max(start, end - 1e-3)
    return Word(edge, edge, word.text)


def _at(spans: Sequence[Span], seconds: float) -> float:
    """The time at which so many seconds of the spans have passed."""
    for start, end in spans:
        if seconds <= end - start:
            return start + seconds
        seconds -= end - start
    return spans[-1].end if spans else 0.0

"""What speech recognisers write as JSON: Whisper, WhisperX, faster-whisper, whisper.cpp, transformers, OpenAI, Vosk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from affuse.errors import AffuseError
from affuse.inference.words.cues import Cue, Times, Word, deal, phrases, timed
from affuse.inference.words.spoken import said, said_text

_TIME_NAMES = ("start", "begin", "time", "offset", "onset")
_SHAPES = "Whisper's, WhisperX's, faster-whisper's, whisper.cpp's, transformers', OpenAI's and Vosk's"


def read_recognised(path: Path, text: str) -> list[Cue]:
    """Segments with their words' times where there are any; a text alone has no times.

    A word without times (WhisperX leaves out numbers) takes what is free between its neighbours.

    Raises:
        AffuseError: For JSON of another shape, and naming the segment whose times are none.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AffuseError(f"{path} is not JSON that can be read ({error}); fetch it again.") from None
    segments, words = _parts(found)
    if segments is not None:
        where = [f"{path}, segment {i}" for i in range(1, len(segments) + 1)]
        return timed([_cue(one, place) for one, place in zip(segments, where, strict=True)])
    if words is not None:
        return timed(map(_said, phrases(_timed_words(words, str(path)))))
    if isinstance(found, Mapping) and isinstance(found.get("text"), str) and not _has_times(found):
        return timed([Cue(None, None, said_text(found["text"]))])
    keys = ", ".join(list(map(str, found))[:6]) if isinstance(found, Mapping) else f"a {type(found).__name__}"
    raise AffuseError(
        f"{path} is JSON of a shape that affuse does not know ({keys or 'empty'}); it reads {_SHAPES}. Save the words "
        "as SRT, or as a CSV with the columns start, end and text."
    )


def is_json(text: str) -> bool:
    """Whether it is a JSON object or list."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


_Entries = Sequence[Mapping[str, Any]]


def _parts(found: Any) -> tuple[_Entries | None, _Entries | None]:
    """Segments, or words, or neither."""
    for entries in _lists(found, "segments", "chunks", "transcription"):
        if _all_have(entries, "text") and all(
            {"start", "timestamp", "offsets"} & set(one) for one in entries
        ):
            return entries, None
    for entries in _lists(found, "word_segments", "words", "result"):
        if words := _words(entries):
            return None, words
    return None, None


def _has_times(found: Mapping[str, Any]) -> bool:
    """Whether there are times by names that are not known: the text alone would lose them."""
    lists = [(name, value) for name, value in found.items() if isinstance(value, list) and value]
    names = [name for name, _ in lists]
    names += [str(key) for _, value in lists if isinstance(value[0], Mapping) for key in value[0]]
    return any(mark in name.lower() for name in names for mark in _TIME_NAMES)


def _words(entries: Any) -> _Entries | None:
    """Entries that have a word each, by the name ``word``; whisper-timestamped and AssemblyAI call it ``text``."""
    if _all_have(entries, "word"):
        return entries
    if _all_have(entries, "text"):
        return [{**entry, "word": entry["text"]} for entry in entries]
    return None


def _lists(found: Any, *names: str) -> list[_Entries]:
    values = [found.get(name) for name in names] if isinstance(found, Mapping) else [found]
    return [value for value in values if isinstance(value, list)]


def _all_have(entries: Any, name: str) -> bool:
    return (
        isinstance(entries, list)
        and bool(entries)
        and all(isinstance(one, Mapping) and isinstance(one.get(name), str) for one in entries)
    )


def _cue(segment: Mapping[str, Any], where: str) -> Cue:
    if isinstance(segment.get("offsets"), Mapping):  # whisper.cpp, in milliseconds
        times = Times.of(where, segment["offsets"].get("from"), segment["offsets"].get("to"), 1000)
    elif isinstance(segment.get("timestamp"), Sequence) and len(segment["timestamp"]) == 2:
        times = Times.of(where, *segment["timestamp"])  # transformers; the last end may be null
    else:
        times = Times.of(where, segment.get("start"), segment.get("end"))
    words = _words(segment.get("words"))
    cue = Cue(*times, " ".join(segment["text"].split()))
    if times.end is not None and words and any("start" in word for word in words):
        cue = cue._replace(words=tuple(_timed_words(words, where, times)))
    return _said(cue)


def _said(cue: Cue) -> Cue:
    if not cue.words:
        return cue._replace(text=said_text(cue.text))
    kept = said([word.text for word in cue.words])
    words = tuple(word._replace(text=one) for word, one in zip(cue.words, kept, strict=True) if one)
    return cue._replace(text=" ".join(word.text for word in words), words=words)


def _timed_words(entries: Sequence[Mapping[str, Any]], where: str, within: Times | None = None) -> list[Word]:
    spaced = any(entry["word"].startswith(" ") for entry in entries)
    words: list[Word] = []
    waiting: list[str] = []  # words without times
    last = within.start if within is not None else 0.0
    for i, entry in enumerate(entries, start=1):
        token = " ".join(entry["word"].split())
        if not token:
            continue
        if entry.get("start") is None or entry.get("end") is None:
            waiting.append(token)
            continue
        start, end = Times.of(f"{where}, word {i}", entry["start"], entry["end"])
        assert end is not None
        if waiting:
            words += deal(waiting, min(last, start), start)
            waiting = []
        if spaced and words and not entry["word"].startswith(" "):  # Whisper's "well" and "-known"
            words[-1] = Word(words[-1].start, max(words[-1].end, end), words[-1].text + token)
        else:
            words.append(Word(start, end, token))
        last = end
    if waiting:
        end = last if within is None or within.end is None else max(last, within.end)
        words += deal(waiting, last, end)
    return words

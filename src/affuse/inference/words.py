"""The words of a clip and when they are said: plain text, SRT, VTT or a table."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from affuse.errors import AffuseError
from affuse.media.speech import Span

_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_ARROW = re.compile(rf"^\s*{_TIME}\s*-->\s*{_TIME}")
_TAG = re.compile(r"<[^>]*>|\{\\[^}]*\}")  # <i>, <c.loud>, <00:01.000>, {\an8}


class Word(NamedTuple):
    """Seconds of the clip."""

    start: float
    end: float
    text: str


class Cue(NamedTuple):
    """Some words and when they are said; both times None where the file does not tell."""

    start: float | None
    end: float | None
    text: str


def read_words(path: str | Path) -> list[Cue]:
    """Cues of a .srt, .vtt, .csv or .tsv file (column text, and start and end in seconds if there are); any other
    file is plain text.

    Raises AffuseError for a file that is missing, is not UTF-8 (or UTF-16 with its mark), or has no words or no
    cue where its kind promises some.
    """
    path = Path(path)
    text = read_text(path)
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        return _table_cues(path, text)
    cues = parse_cues(text, path) if suffix in (".srt", ".vtt") else [Cue(None, None, " ".join(text.split()))]
    cues = [cue for cue in cues if cue.text]
    if not cues:
        kind = f"no {suffix[1:].upper()} cue" if suffix in (".srt", ".vtt") else "no words"
        raise AffuseError(f"{path} has {kind} in it; give another --text or leave it out.")
    return cues


def read_text(path: Path) -> str:
    """Raises AffuseError where the file cannot be read as text."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise AffuseError(f"There is no text file {path}; correct --text.") from None
    except OSError as error:
        raise AffuseError(f"{path} cannot be read ({(error.strerror or str(error)).lower()}).") from None
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise AffuseError(
            f"{path} is not {encoding.removesuffix('-sig').upper()} text (byte {error.start + 1} is "
            f"0x{data[error.start]:02x}); save it as UTF-8."
        ) from None
    if "\0" in text:
        raise AffuseError(f"{path} is no text file: it holds zero bytes; give plain text, SRT, VTT or CSV.")
    return text


def parse_cues(text: str, path: str | Path = "the text") -> list[Cue]:
    """Cues of SRT or WebVTT text; numbers, settings, notes and styles are passed over, mark-up is taken out.

    Raises AffuseError, naming ``path``, for a cue that ends before it starts.
    """
    cues = []
    count = 0
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.strip("\n").split("\n")
        at = next((i for i, line in enumerate(lines) if _ARROW.match(line)), None)
        if at is None:
            continue
        found = _ARROW.match(lines[at])
        assert found is not None
        start, end = _seconds(found.groups()[:4]), _seconds(found.groups()[4:])
        said = " ".join(html.unescape(_TAG.sub("", " ".join(lines[at + 1 :]))).split())
        count += 1
        if end < start:
            times = " ".join(found[0].split())
            raise AffuseError(f"{path}, cue {count}: {times} ends before it starts; correct its times.")
        if end > start:
            cues.append(Cue(start, end, said))
    return cues


def speech_with(cues: Sequence[Cue], speech: Sequence[Span], seconds: float) -> list[Span]:
    """The speech, and the time of every cue that none of it touches: whoever wrote the cue heard it. Cues end with
    the clip, at ``seconds``."""
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
    """Every word with its times: the speech of a cue's time is dealt out to its words by their letters; words without
    times are dealt out in the same way over all of the speech."""
    words: list[Word] = []
    for cue in cues:
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


def _at(spans: Sequence[Span], seconds: float) -> float:
    """The time at which so many seconds of the spans have passed."""
    for start, end in spans:
        if seconds <= end - start:
            return start + seconds
        seconds -= end - start
    return spans[-1].end if spans else 0.0


def _table_cues(path: Path, text: str) -> list[Cue]:
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        table = pd.read_csv(StringIO(text), sep=separator, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise AffuseError(f"{path} is no table that can be read ({str(error).splitlines()[0]}).") from None
    if "text" not in table.columns:
        raise AffuseError(
            f"{path} has no column text (it has {', '.join(map(str, table.columns)) or 'none'}); rename the column of "
            "the words."
        )
    timed = {"start", "end"} <= set(table.columns)
    cues = []
    for i, row in table.iterrows():
        said = " ".join(str(row["text"]).split())
        if not said:
            continue
        if not timed:
            cues.append(Cue(None, None, said))
            continue
        try:
            start, end = float(row["start"]), float(row["end"])
        except ValueError:
            raise AffuseError(
                f"{path}, row {int(str(i)) + 1}: start {row['start']!r} and end {row['end']!r} must be seconds."
            ) from None
        if not 0 <= start < end:
            raise AffuseError(f"{path}, row {int(str(i)) + 1}: end {end:g} is not after start {start:g}.")
        cues.append(Cue(start, end, said))
    if not cues:
        raise AffuseError(f"{path} has no words in its column text.")
    if not timed:  # one text, spread over the whole of the speech
        return [Cue(None, None, " ".join(cue.text for cue in cues))]
    return cues


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = parts
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(f"0.{fraction}")

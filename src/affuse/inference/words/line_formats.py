"""Formats with a row per line: Whisper's printed lines and its TSV, Audacity's labels, CTM."""

from __future__ import annotations

import re
from pathlib import Path

from affuse.errors import AffuseError
from affuse.inference.words.cues import Cue, Times, Word, phrases, timed
from affuse.inference.words.spoken import said, said_in_line, said_text
from affuse.inference.words.times import TIME, seconds

# [00:00.000 --> 00:04.000]  as Whisper prints; [0.00s -> 4.00s]  as faster-whisper's users do
PRINTED = re.compile(rf"^\s*\[\s*(?:{TIME}|([\d.]+)s?)\s*-+>\s*(?:{TIME}|([\d.]+)s?)\s*\](.*)$", re.M)
# nothing before "start": a table that pandas wrote has a column without a name there
WHISPER = re.compile(r"\n*start\tend\ttext\s*(?:\n\d+\t\d+\t[^\n]*)+\s*$")
LABEL = re.compile(r"^(\d+(?:[.,]\d+)?)\t(\d+(?:[.,]\d+)?)\t(.*)$")
_CTM = re.compile(r"^(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)(?:\s+\S+){0,3}$")
_TIMED = re.compile(r"^\S+ \S+ \d+\.\d+ \d+\.\d+ \S+(?: \S+){0,3}$")
_NO_WORDS = frozenset({"<eps>", "<sil>", "sil", "sp", "spn", "<unk>", "@reject@", "%hesitation"})


def read_printed(path: Path, text: str) -> list[Cue]:
    """Whisper's printed lines; what is no such line is passed over."""
    cues = []
    for i, line in enumerate(text.split("\n"), start=1):
        found = PRINTED.match(line)
        if found is None:
            continue
        parts = found.groups()
        start, end = (
            float(plain) if plain is not None else seconds(clock)
            for clock, plain in ((parts[:4], parts[4]), (parts[5:9], parts[9]))
        )
        times = Times.of(f"{path}, line {i}", start, end)
        cues.append(Cue(*times, said_text(said_in_line(parts[10]))))
    return timed(cues)


def read_whisper_rows(path: Path, text: str) -> list[Cue]:
    """Whisper's TSV as it stands: its writer puts no quotes, so a quote is a quote. Times are left in its numbers."""
    cues = []
    for i, line in enumerate(text.strip().split("\n")[1:], start=2):
        start, end, words = line.split("\t", 2)
        cues.append(Cue(*Times.of(f"{path}, row {i}", start, end), said_text(words)))
    return cues


def read_labels(path: Path, text: str) -> list[Cue]:
    """Audacity's label track: start, end and label between tabs; a label of a moment lasts until the next."""
    cues = []
    for i, line in enumerate(text.split("\n"), start=1):
        found = LABEL.match(line)
        if found is not None:
            start, end = (part.replace(",", ".") for part in found.groups()[:2])
            cues.append(Cue(*Times.of(f"{path}, line {i}", start, end), said_text(found[3])))
    return timed(cues)


def are_labels(text: str) -> bool:
    """Lines of Audacity's labels alone; behind a backslash it keeps frequencies."""
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("\\")]
    return bool(lines) and all(map(LABEL.match, lines))


def read_ctm(path: Path, text: str) -> list[Cue]:
    """recording, channel, start, duration, word (and confidence), as NIST's sclite has it.

    Raises:
        AffuseError: Naming the line that is none, or several recordings: which of them is the clip cannot be known.
    """
    words, recordings = [], {}
    for i, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.startswith(";;"):
            continue
        found = _CTM.match(line.strip())
        if found is None:
            raise AffuseError(
                f"{path}, line {i} is not a line of CTM (recording, channel, start, duration, word)."
            )
        recordings[found[1]] = None
        start, length = Times.of(f"{path}, line {i}", found[3], None).start, found[4]
        lasts = Times.of(f"{path}, line {i}", length, None).start
        if found[5].lower() not in _NO_WORDS:
            words.append(Word(start, start + lasts, found[5]))
    if len(recordings) > 1:
        raise AffuseError(
            f"{path} has the words of {len(recordings)} recordings ({', '.join(list(recordings)[:3])}, ...); give a "
            "file for each clip."
        )
    kept = said([word.text for word in sorted(words)])
    return phrases(word for word, one in zip(sorted(words), kept, strict=True) if one)


def is_ctm(text: str) -> bool:
    """Several lines, all of CTM with decimals in their times: no other text looks so."""
    lines = [
        " ".join(line.split()) for line in text.split("\n") if line.strip() and not line.startswith(";;")
    ]
    return len(lines) > 1 and all(map(_TIMED.match, lines))

"""EmoEvaluation/<dialog>.txt: turns with times, consensus and every annotator's votes and ratings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from affuse.corpora.readers.iemocap.names import parse_turn
from affuse.corpora.readers.iemocap.release import read_lines

# As the annotators' tools wrote them -> the consensus column's codes
CODES = {
    "neutral": "neu", "neutral state": "neu", "happiness": "hap", "excited": "exc", "anger": "ang", "sadness": "sad",
    "frustration": "fru", "surprise": "sur", "fear": "fea", "disgust": "dis", "other": "oth",
}  # fmt: skip

_NUMBER = r"\s*(-?\d+(?:\.\d+)?)\s*"
_TURN = re.compile(rf"\[{_NUMBER}-{_NUMBER}\]\s+(\S+)\s+(\S+)\s+\[{_NUMBER},{_NUMBER},{_NUMBER}\]\s*")
_ANNOTATOR = re.compile(r"([CA])-([A-Z]+\d*):\s*(.*?)\s*(?:\((.*)\)?)?\s*")
_ATTRIBUTE = re.compile(r"\b(val|act|dom)\s+(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Vote:
    """One annotator's categories for one turn, in the order given."""

    annotator: str  # "E2"; "F1" or "M1" is an actor's self-report
    labels: tuple[str, ...]  # codes
    comment: str

    @property
    def is_self(self) -> bool:
        """Whether an actor judged herself or himself."""
        return is_self(self.annotator)


@dataclass(frozen=True)
class Rating:
    """One annotator's attributes for one turn, 1 to 5; None where left out."""

    annotator: str
    valence: float | None
    activation: float | None
    dominance: float | None
    comment: str

    @property
    def is_self(self) -> bool:
        """Whether an actor judged herself or himself."""
        return is_self(self.annotator)


@dataclass
class Evaluated:
    """One block: a turn and what was written about it."""

    id: str
    start: float  # seconds into the dialog
    end: float
    label: str  # consensus; "xxx" without one
    valence: float
    activation: float
    dominance: float
    votes: list[Vote] = field(default_factory=list)
    ratings: list[Rating] = field(default_factory=list)


def is_self(annotator: str) -> bool:
    """Whether an annotator is an actor (F1, M1, ...): the external ones are E1, E2, ..."""
    return not annotator.startswith("E")


def read_evaluation(path: Path, dialog: str) -> tuple[list[Evaluated], list[str]]:
    """Read every turn of one dialog's file, in order; also one sentence per line that could not be read.

    A broken turn line loses its own block and nothing else.
    """
    turns: list[Evaluated] = []
    findings: list[str] = []
    current: Evaluated | None = None
    lost = False  # inside a block whose turn line is broken
    for number, line in enumerate(read_lines(path), start=1):
        line = line.strip()
        if not line:
            current, lost = None, False
        elif line.startswith("%"):
            continue
        elif line.startswith("["):
            current = _turn(line, dialog)
            lost = current is None
            if current is None:
                findings.append(
                    f"{path}, line {number}: not a turn of {dialog}: {line[:80]!r}; its block is left out."
                )
            else:
                turns.append(current)
        elif current is not None and (entry := _annotation(line)) is not None:
            (current.votes if isinstance(entry, Vote) else current.ratings).append(entry)  # pyright: ignore[reportArgumentType]
        elif not lost:
            findings.append(f"{path}, line {number}: cannot be read: {line[:80]!r}; the line is left out.")
            lost = current is None  # one sentence per orphaned block
    return turns, findings


def _turn(line: str, dialog: str) -> Evaluated | None:
    match = _TURN.fullmatch(line)
    if match is None:
        return None
    start, end, name, label, *means = match.groups()
    parsed = parse_turn(name)
    if parsed is None or parsed.dialog != dialog or not float(end) > float(start):
        return None
    valence, activation, dominance = map(float, means)
    return Evaluated(name, float(start), float(end), label.lower(), valence, activation, dominance)


def _annotation(line: str) -> Vote | Rating | None:
    match = _ANNOTATOR.fullmatch(line)
    if match is None:
        return None
    kind, annotator, body, comment = match.groups()
    comment = (comment or "").rstrip(")").strip()
    if kind == "C":
        names = [name.strip().lower() for name in body.replace(":", " ").split(";")]
        return Vote(annotator, tuple(CODES.get(name, name) for name in names if name), comment)
    values = {name: float(value) for name, value in _ATTRIBUTE.findall(body)}
    return Rating(annotator, values.get("val"), values.get("act"), values.get("dom"), comment)

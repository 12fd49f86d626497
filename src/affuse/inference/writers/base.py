"""What every writer is, and the words they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from affuse.files import write_text
from affuse.inference.timeline import Answer, Segment, Timeline


class Writer(ABC):
    """A timeline as text."""

    name: ClassVar[str]  # as formats= takes it
    suffix: ClassVar[str]  # of the file

    @abstractmethod
    def text(self, timeline: Timeline) -> str:
        """The whole file, ending in a line break."""

    def write(self, timeline: Timeline, stem: Path) -> Path:
        """The file ``stem`` + suffix, written atomically."""
        path = stem.with_name(stem.name + self.suffix)
        write_text(path, self.text(timeline))
        return path


def say(segment: Segment) -> str:
    """'anger 0.83, female 0.99'; a question mark where it is unsure."""
    return ", ".join(_say(answer) for answer in segment.answers.values())


def _say(answer: Answer) -> str:
    return f"{answer.label}{'?' if answer.unsure else ''} {answer.confidence:.2f}"

"""What every writer is, and the words they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from affuse.files import write_text
from affuse.inference.timeline import Answer, Segment, Timeline, Value
from affuse.recipe.dimension import Dimension


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


def say(segment: Segment, ranges: Mapping[str, Dimension] = MappingProxyType({})) -> str:
    """'anger 0.83, female 0.99, valence 3.4'; a question mark where it is unsure.

    Args:
        segment: What is told.
        ranges: Scales of the ratings that are told.
    """
    told = [say_answer(answer) for answer in segment.answers.values()]
    told += [say_value(task, segment.values[task], scale) for task, scale in ranges.items()]
    return ", ".join(told)


def say_in_cue(segment: Segment, timeline: Timeline) -> str:
    """What a cue or label says of a segment: ratings where they are asked for."""
    return say(segment, timeline.ranges if timeline.cue_values else {})


def say_answer(answer: Answer) -> str:
    """'anger 0.83'."""
    return f"{answer.label}{'?' if answer.unsure else ''} {answer.confidence:.2f}"


def say_value(task: str, value: Value, scale: Dimension) -> str:
    """'valence 3.4'."""
    return f"{task} {scale.shown(value.mean)}"

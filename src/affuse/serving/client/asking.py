"""What a clip is asked of a service, as keyword arguments here and as fields of its form there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

from affuse.errors import AffuseError
from affuse.parts.registry import unknown


class _Arguments(TypedDict, total=False):
    """Keyword arguments of both."""

    model: str | None
    tasks: Sequence[str] | None
    classes: Sequence[str] | None
    asr: bool | None
    window: float | None
    hop: float | None
    vad: bool | None
    unsure: float | None
    side: Literal["left", "right"] | None
    face: tuple[float, float] | None


class StreamArguments(_Arguments, total=False):
    """Keyword arguments of a stream."""

    pictures: bool


class ClipArguments(_Arguments, total=False):
    """Keyword arguments of a clip."""

    text: str | Path | None
    words: str | None
    channel: int | None
    track: int | None
    values: bool | None
    start: float | None
    end: float | None


def form_fields(
    asked: Mapping[str, Any], known: type[ClipArguments] | type[StreamArguments]
) -> dict[str, str]:
    """The fields of the form, without its files. There ``text`` are the words, and ``words`` is the file of them.

    Raises:
        AffuseError: An argument that is unknown, with the nearest name. Values are the service's to check.

    Examples:
        >>> form_fields({"words": "I see.", "tasks": ["emotion"], "vad": False, "hop": None}, ClipArguments)
        {'text': 'I see.', 'tasks': 'emotion', 'vad': 'false'}
    """
    names = list(known.__annotations__)
    fields: dict[str, str] = {}
    for name, value in asked.items():
        if name not in names:
            raise AffuseError(f"{unknown(name, names, 'arguments of a client')}.")
        if value is not None and name != "text":
            fields["text" if name == "words" else name] = _written(value)
    return fields


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) or not isinstance(value, Sequence):
        return str(value)
    return ",".join(str(one) for one in value)

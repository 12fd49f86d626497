"""The one exception a user is meant to see, and how its sentence names the arguments of a function."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any

_BEGIN, _MIDDLE, _END = "\x0e", "\x1f", "\x0f"  # control characters, which no sentence holds
_MARKED = re.compile(f"{_BEGIN}([a-z_]+)(?:{_MIDDLE}([^{_BEGIN}{_END}]*))?{_END}")


class AffuseError(Exception):
    """Bad input, in one sentence: what is wrong, where (file, row, field), and what to do.

    The command line prints the sentence without a traceback and exits with code 2.

    Args:
        message: the sentence. Arguments of the function that was called stand in it as ``argument("out")``.
    """

    def __init__(self, message: object = "") -> None:
        self.marked = str(message)
        super().__init__(name_arguments(self.marked))

    def __reduce__(self) -> tuple[type[AffuseError], tuple[str]]:
        """Another process gets the sentence with its arguments."""
        return type(self), (self.marked,)


class ClipError(AffuseError):
    """One clip cannot be used (missing, unreadable, empty, silent, ...).

    A batch reports it in ``skipped.csv`` and goes on; a single clip is bad input like any other.
    """


def argument(name: str, *value: str | float | bool | list[Any] | Mapping[str, Any] | None) -> str:
    """Name an argument of a public function within the sentence of an ``AffuseError``.

    Who calls from Python reads the argument's name, who types a command its flag: the command line writes the same
    sentence with ``--out``.

    Args:
        name: as the function has it, such as "out".
        value: what to pass, of plain types; a text of the form "key=value" stands for itself.

    Examples:
        >>> str(AffuseError(f"runs/one is a file; choose another {argument('out')}."))
        'runs/one is a file; choose another out.'
        >>> str(AffuseError(f"Add {argument('overwrite', True)} to replace it."))
        'Add overwrite=True to replace it.'
    """
    plain = f"{_MIDDLE}{dict(value[0]) if isinstance(value[0], Mapping) else value[0]!r}" if value else ""
    return f"{_BEGIN}{name}{plain}{_END}"


def name_arguments(text: str, write: Callable[..., str] | None = None) -> str:
    """Replace every ``argument`` of a sentence.

    Args:
        text: the sentence, as it was made.
        write: takes the name, and the value where there is one; without it arguments are written as in Python.
    """

    def replace(found: re.Match[str]) -> str:
        value = () if found[2] is None else (ast.literal_eval(found[2]),)
        return (write or _in_python)(found[1], *value)

    return _MARKED.sub(replace, text)


def _in_python(name: str, *value: object) -> str:
    return f"{name}={value[0]!r}" if value else name

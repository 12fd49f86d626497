"""The arguments of the Python functions as a user types them: ``out`` is ``--out``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping

from affuse.errors import AffuseError, name_arguments

# arguments whose flag has another name
_FLAGS = {
    "folds": "--fold", "protocols": "--protocol", "rename": "--map", "map_": "--map", "set_": "--set",
    "formats": "--format",
}  # fmt: skip
# columns that have a flag of their own in 'affuse prepare csv'
_COLUMNS = (
    "audio",
    "video",
    "text",
    "emotion",
    "gender",
    "speaker",
    "session",
    "dialog",
    "start",
    "end",
    "id",
)
# arguments that stand without a flag
_PLACES = {
    "recipe": "RECIPE",
    "corpus": "CORPUS",
    "model": "MODEL",
    "source": "SOURCE",
    "hub_id": "HUB_ID",
    "models": "--over model=A,B",
}


def command_line() -> str:
    """What was typed, as a shell takes it."""
    return shlex.join(["affuse", *sys.argv[1:]])


def sentence(error: AffuseError) -> str:
    """The error's sentence, its arguments written as flags."""
    return name_arguments(error.marked, flag)


def flag(name: str, *value: object) -> str:
    """An argument, and its value where there is one, as it is typed.

    Examples:
        >>> flag("out"), flag("overwrite", True), flag("vad", False), flag("folds", [0, 1])
        ('--out', '--overwrite', '--no-vad', '--fold 0,1')
        >>> flag("over", {"seed": [0, 1]}), flag("set", "lr=3e-4"), flag("rename", {"angry": "anger"})
        ('--over seed=0,1', '--set lr=3e-4', '--map angry=anger')
        >>> flag("columns", {"audio": "Filename"}), flag("columns", {"valence": "V"})
        ('--audio Filename', '--columns valence=V')
    """
    long = _PLACES.get(name) or _FLAGS.get(name) or f"--{name.replace('_', '-')}"
    if not value or value[0] is True:
        return long
    if value[0] is False:
        return f"--no-{long.removeprefix('--')}"
    if isinstance(value[0], Mapping):
        return " ".join(
            f"--{key} {_typed(_plain(one))}"
            if name == "columns" and key in _COLUMNS
            else f"{long} {_typed(f'{key}={_plain(one)}')}"
            for key, one in _flat(value[0]).items()
        )
    return f"{long} {_typed(_plain(value[0]))}"


def _flat(values: Mapping[str, object]) -> dict[str, object]:
    """{"emotion": {"exc": "hap"}} as {"emotion.exc": "hap"}."""
    found: dict[str, object] = {}
    for key, value in values.items():
        inner = _flat(value) if isinstance(value, Mapping) else {"": value}
        found.update({f"{key}.{name}" if name else key: one for name, one in inner.items()})
    return found


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(_plain, value))
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _typed(text: str) -> str:
    """As a shell takes it; the signs of a sentence's placeholders stay."""
    return text if all(sign.isalnum() or sign in "=.,:+-_*/ {}'[]" for sign in text) else shlex.quote(text)

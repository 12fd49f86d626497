"""A sub-command of ``affuse prepare`` made from a reader: its options become flags."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from affuse.errors import AffuseError, argument
from affuse.files.yaml_text import read_value
from affuse.names import quote

Call = Callable[[Path | None, Path, dict[str, Any], bool], None]

_SCALARS = (str, int, float, bool, Path)


def command_of(
    options: Mapping[str, FieldInfo], about: str, takes_source: bool, call: Call
) -> Callable[..., None]:
    """A function whose signature typer makes a command of.

    Args:
        options: The reader's options.
        about: The command's help.
        takes_source: Whether the reader reads a release.
        call: Gets source, out, the options that were given, and whether files may be replaced.
    """

    def command(**given: Any) -> None:
        values = {
            name: _value(name, field, given[name])
            for name, field in options.items()
            if given[name] is not None and given[name] != []
        }
        for text in given["option"]:
            values.update(_pair(text, values))
        call(given.get("source"), given["out"], values, given["overwrite"])

    parameters = {"source": Annotated[Path, typer.Argument(help="Where the release or table lies.")]}
    if not takes_source:
        parameters.clear()
    parameters["out"] = Annotated[Path, typer.Argument(help="Corpus folder to write.")]
    defaults: dict[str, Any] = {}
    for name, field in options.items():
        parameters[name], defaults[name] = _parameter(name, field)
    more = typer.Option(
        "--option", metavar="KEY=VALUE", help="Any option by its Python name; the value is YAML."
    )
    parameters["option"], defaults["option"] = Annotated[list[str], more], []
    replace = "Replace a corpus that was edited since, or files that affuse did not write."
    parameters["overwrite"], defaults["overwrite"] = (
        Annotated[bool, typer.Option("--overwrite", help=replace)],
        False,
    )
    command.__doc__ = about
    command.__annotations__ = parameters
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=kind,
                default=defaults.get(name, inspect.Parameter.empty),
            )
            for name, kind in parameters.items()
        ]
    )
    return command


def _parameter(name: str, field: FieldInfo) -> tuple[Any, Any]:
    """The annotation and the default of an option's flag; None or []: not given."""
    kind = _kind(field.annotation)
    flag = f"--{name.replace('_', '-')}"
    about = field.description or ""
    about = f"{about[:1].upper()}{about[1:]}{'' if about.endswith('.') or not about else '.'}"
    default = "" if field.default in (None, ..., [], {}) else f" [default: {_shown(field.default)}]"
    if kind is bool:
        option = typer.Option(f"{flag}/--no-{flag[2:]}", help=about + default, show_default=False)
        return Annotated[bool | None, option], None
    if get_origin(kind) is Literal:
        choices = ", ".join(map(str, get_args(kind)))
        option = typer.Option(
            flag, help=f"{about} One of: {choices}.{default}", show_default=False, metavar="CHOICE"
        )
        return Annotated[str | None, option], None
    if kind is dict:
        option = typer.Option(
            flag, help=f"{about} KEY=VALUE, as often as needed.", metavar="KEY=VALUE", show_default=False
        )
        return Annotated[list[str], option], []
    if kind is list:
        option = typer.Option(flag, help=f"{about} Several with commas between.{default}", show_default=False)
        return Annotated[str | None, option], None
    option = typer.Option(flag, help=about + default, show_default=False)
    return Annotated[(kind if kind in _SCALARS else str) | None, option], None  # type: ignore[valid-type]


def _kind(annotation: Any) -> Any:
    """The type of a value: ``list[str] | None`` is list, ``Mapping`` dict, ``str | Path | dict`` Path."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kind(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        kinds = [_kind(one) for one in get_args(annotation) if one is not type(None)]
        return next((one for one in (Path, *kinds) if one in kinds), str)
    if origin is None:
        return annotation
    if origin is Literal:
        return annotation
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return dict
    return list if isinstance(origin, type) and issubclass(origin, Sequence) else str


def _value(name: str, field: FieldInfo, given: Any) -> Any:
    """What was typed, as the reader takes it."""
    kind = _kind(field.annotation)
    if kind is list:
        return [one.strip() for one in given.split(",") if one.strip()]
    if kind is dict:
        found: dict[str, Any] = {}
        for text in given:
            found.update(_pair(text, found, name))
        return found
    return given


def _pair(text: str, before: Mapping[str, Any], name: str = "option") -> dict[str, Any]:
    """'emotion.exc=hap' is {emotion: {exc: hap}}, beside what ``before`` has there; the value is YAML."""
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise AffuseError(f"{argument(name)}: {quote(text)} is not like KEY=VALUE.")
    first, *rest = key.strip().split(".")
    read: Any = read_value(value, key.strip(), ["columns", "labels", "label_spaces", "emotion", "gender"])
    for part in reversed(rest):
        read = {part: read}
    already = before.get(first)
    return (
        {first: {**already, **read}}
        if isinstance(already, dict) and isinstance(read, dict)
        else {first: read}
    )


def _shown(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)

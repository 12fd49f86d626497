"""What is wrong with a recipe, in one sentence: where, the value, and the field that was probably meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from affuse.errors import argument
from affuse.files.yaml_text import needs_quotes
from affuse.names import quote
from affuse.parts.registry import unknown
from affuse.recipe.overrides import SHORTHANDS

# what other toolkits call a field
SYNONYMS = {"learning_rate": "lr", "bs": "batch_size", "wd": "weight_decay"}
_COMMON = {"name", "options"}  # of many sections: never a hint
_MOST = 4
_PLAIN = {
    "int_type": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "float_parsing": "should be a number",
    "tuple_type": "should be a list in brackets, such as [1, 5]",
    "bool_type": "should be true or false",
    "bool_parsing": "should be true or false",
}
_SECTIONS = {"dict_type", "model_type", "model_attributes_type"}
_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\s*(?:\.{{2,3}}|:)\s*({_NUMBER})|(\d+)\s*-\s*(\d+)", re.IGNORECASE)
_MOST_OF_A_RANGE = 10


def explain(error: ValidationError, where: str, schema: type[BaseModel], data: object) -> str:
    """Say the first of the errors: 'recipe server, optimizer.lrr: There is no ...'.

    Args:
        error: What pydantic found.
        where: The recipe or file, which begins the sentence.
        schema: The class that the data was checked against.
        data: What was checked.
    """
    finding = error.errors()[0]
    path = [str(part) for part in finding["loc"]]
    if finding["type"] == "extra_forbidden":
        path, hint = _unknown_field(path, finding["input"], schema, data)
        return f"{where}, {'.'.join(path)}: {hint}."
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}, {'.'.join(path) or 'top level'}: {_problem(finding, path, schema)}{more}."


def fields_called(name: str, schema: type[BaseModel]) -> list[str]:
    """The fields whose last part is ``name``, or nearly so: what somebody meant who wrote it alone."""
    return _elsewhere(SYNONYMS.get(name, name), schema, {})


def _problem(finding: ErrorDetails, path: Sequence[str], schema: type[BaseModel]) -> str:
    if quoting := needs_quotes(finding):
        return quoting
    value, message = finding["input"], finding["msg"].removeprefix("Value error, ")
    if finding["type"] in _SECTIONS:
        fields = [] if finding["type"] == "dict_type" else _fields_at(schema, path)
        first = next(iter(fields), "name")
        return f"should be fields in braces, such as {{{first}: ...}}, not {quote(value)}"
    if finding["type"] in _PLAIN or message.startswith("Input should "):
        wanted = _PLAIN.get(finding["type"], message.removeprefix("Input "))
        if (
            finding["type"] != "tuple_type"
            and isinstance(value, str)
            and (ends := _RANGE.fullmatch(value.strip()))
        ):
            if finding["type"].startswith(("greater_", "less_")):
                wanted = _PLAIN["int_parsing"]  # pydantic reads 0-4 as -4, and would speak of that
            singly = argument("over", f"{'.'.join(path)}={_listed([end for end in ends.groups() if end])}")
            return f"{wanted}, not the range {quote(value)}; several values are compared by {singly}"
        return f"{wanted}, not {quote(value)}"
    return "this field is required" if finding["type"] == "missing" else message


def _listed(ends: Sequence[str]) -> str:
    """The values of a range, with commas between: all of a short one of whole numbers, else its ends."""
    first, last = ends
    if first.isdecimal() and last.isdecimal() and 0 <= int(last) - int(first) < _MOST_OF_A_RANGE:
        return ",".join(map(str, range(int(first), int(last) + 1)))
    return f"{first},{last}"


def _unknown_field(
    path: list[str], value: object, schema: type[BaseModel], data: object
) -> tuple[list[str], str]:
    """The path down to the field that was written, and the hint."""
    here = _fields_at(schema, path[:-1])
    while not get_close_matches(path[-1], here, n=1) and isinstance(value, Mapping) and len(value) == 1:
        name, value = next(iter(value.items()))  # an unknown section: its field may be one of another
        path = [*path, str(name)]
    section, wanted = path[:-1], SYNONYMS.get(path[-1], path[-1])
    if wanted not in here and get_close_matches(wanted, here, n=1):
        return path, unknown(wanted, here, "fields here")
    if wanted in here:
        meant = [".".join([*section, wanted])]
    elif "options" in here:
        meant = [".".join([*section, "options", wanted])]
    else:
        meant = _elsewhere(wanted, schema, data)
    if meant:
        return path, f"there is no such field (did you mean {_either(meant)}?)"
    return path, unknown(path[-1], here, "fields here") if here else "there is no such field"


def _elsewhere(name: str, schema: type[BaseModel], data: object) -> list[str]:
    """The fields of any section whose last part is ``name``, or nearly so."""
    fields = list(_of_schema(schema))
    found = _exactly(name, [*fields, *_of_options(data)])
    lasts = {field.rpartition(".")[2] for field in fields} - _COMMON
    near = [] if found else get_close_matches(name, lasts, n=1, cutoff=0.65)
    return found or [field for one in near for field in _exactly(one, fields)]


def _exactly(name: str, known: Sequence[str]) -> list[str]:
    """The fields whose last part is ``name``: the one that it is short for, or all."""
    if name in SHORTHANDS:
        return [SHORTHANDS[name]]
    found = [] if name in _COMMON else [field for field in known if field.rpartition(".")[2] == name]
    return found[:_MOST]


def _either(fields: Sequence[str]) -> str:
    quoted = [f"'{field}'" for field in fields]
    return " or ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))


def _of_schema(schema: type[BaseModel], at: str = "") -> Iterator[str]:
    """Every field as an override names it: ``modalities.*.dropout``."""
    for name, field in schema.model_fields.items():
        yield f"{at}{name}"
        annotation = field.annotation
        if str(annotation).startswith("list["):
            continue  # its elements have no dotted name
        star = "*." if str(annotation).startswith("dict[") else ""
        for section in _sections(annotation):
            yield from _of_schema(section, f"{at}{name}.{star}")


def _of_options(data: object, at: str = "") -> Iterator[str]:
    """Every option that ``data`` has: ``fusion.options.dropout``."""
    for name, value in data.items() if isinstance(data, Mapping) else ():
        if name == "options" and isinstance(value, Mapping):
            yield from (f"{at}options.{option}" for option in value)
        else:
            yield from _of_options(value, f"{at}{name}.")


def _fields_at(schema: type[BaseModel], path: Iterable[str]) -> list[str]:
    """The names of the fields below ``path``; names of modalities and tasks, and places in a list, are passed over."""
    for part in path:
        if part in schema.model_fields:
            sections = list(_sections(schema.model_fields[part].annotation))
            if not sections:
                return []
            schema = sections[0]
    return list(schema.model_fields)


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections within an annotation: Task of ``dict[str, Task]``, Schedule of ``Schedule | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _sections(inner)

"""The arguments of a public function, checked by its annotations: misspelt names, and values of another type."""

from __future__ import annotations

import inspect
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from numbers import Real
from os import PathLike
from typing import Any, ParamSpec, TypeVar

from affuse.errors import AffuseError, argument
from affuse.names import near, quote

_PUBLIC = {"load_model": "load"}  # functions that are public under another name
_BRACKETS = re.compile(r"\[[^\[\]]*\]")
_IN_WORDS = {
    "None": "None", "str": "a text", "Path": "a path", "bool": "True or False", "int": "a whole number",
    "float": "a number", "Mapping": "a mapping", "Sequence": "a list", "Iterable": "a list",
    "Callable": "a function",
}  # fmt: skip
_UNCHECKED = ("Any", "object", "Literal")  # the function itself knows better what is wrong

P = ParamSpec("P")
R = TypeVar("R")


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a public function or method: what is passed to it must be what its annotations say.

    NumPy's whole numbers and truth values become Python's. Elements of lists are for the function to check.

    Raises:
        TypeError: By the decorated function: it has no argument of that name; the nearest name is in the sentence.
        AffuseError: By the decorated function: a value is of another type.

    Examples:
        >>> @checked
        ... def train(corpus: str, *, fold: int = 0): ...
        >>> train("corpora/emodb", foldd=1)
        Traceback (most recent call last):
        TypeError: affuse.train has no argument 'foldd' (did you mean 'fold'?)
        >>> train("corpora/emodb", fold=1.5)
        Traceback (most recent call last):
        affuse.errors.AffuseError: fold takes a whole number, not 1.5.
    """
    signature = inspect.signature(function)
    parameters = signature.parameters
    takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    kinds = {
        name: _kinds(one.annotation)
        for name, one in parameters.items()
        if one.kind is not one.VAR_KEYWORD and isinstance(one.annotation, str)
    }
    named = [name for name in parameters if name not in ("self", "cls")]

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in parameters and not takes_any:
                public = _PUBLIC.get(function.__qualname__, function.__qualname__)
                raise TypeError(f"affuse.{public} has no argument {name!r} ({near(name, named)})")
        values = [_value(name, one, kinds) for name, one in zip(parameters, args, strict=False)]
        more = {name: _value(name, one, kinds) for name, one in kwargs.items()}
        return function(*values, *args[len(values) :], **more)  # type: ignore[arg-type]  # Python counts them

    return call


def _kinds(annotation: str) -> list[str]:
    """'Mapping[str, int | None] | None' is ['Mapping', 'None']: what stands outside of brackets."""
    while (outer := _BRACKETS.sub("", annotation)) != annotation:
        annotation = outer
    return [kind.strip() for kind in annotation.split("|")]


def _value(name: str, value: Any, kinds: Mapping[str, list[str]]) -> Any:
    wanted = kinds.get(name, [])
    if not wanted or any(kind in _UNCHECKED or "." in kind for kind in wanted):
        return value
    if not any(_is(value, kind) for kind in wanted):
        words = [_IN_WORDS.get(kind, f"a {kind}") for kind in dict.fromkeys(wanted)]
        either = " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
        raise AffuseError(f"{argument(name)} takes {either}, not {_shown(value)}.")
    if "int" in wanted and _is(value, "int"):
        return operator.index(value)
    return bool(value) if "bool" in wanted and _is(value, "bool") else value


def _is(value: Any, kind: str) -> bool:
    if kind == "None":
        return value is None
    if kind == "str":
        return isinstance(value, str)
    if kind == "Path":
        return isinstance(value, PathLike)
    if kind == "bool":
        return _is_truth(value)
    if kind == "int":
        return hasattr(value, "__index__") and not _is_truth(value) and not getattr(value, "ndim", 0)
    if kind == "float":
        return isinstance(value, Real) and not _is_truth(value)
    if kind == "Mapping":
        return isinstance(value, Mapping)
    if kind in ("Sequence", "Iterable"):  # a text is no list of letters
        return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
    if kind == "Callable":
        return callable(value)
    if kind == "Progress":
        return hasattr(value, "say") and not isinstance(value, type)
    return kind in [one.__name__ for one in type(value).__mro__]  # by name: its module may be slow to import


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool) or (
        type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_")
    )


def _shown(value: Any) -> str:
    plain = value is None or isinstance(value, str | bytes | int | float | complex | list | tuple)
    return quote(value) if plain else f"a {type(value).__name__}"

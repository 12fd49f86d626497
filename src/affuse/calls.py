"""What was called, for the records that folders keep: a command as it was typed, or a call from Python."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import get_close_matches
from functools import wraps
from typing import Any, ParamSpec, TypeVar

_current: ContextVar[str] = ContextVar("call", default="")
_MOST = 100  # letters of one argument

P = ParamSpec("P")
R = TypeVar("R")


def current_call() -> str:
    """The call that is being done; '' where a function was called that keeps no record of it."""
    return _current.get()


@contextmanager
def recorded_as(text: str) -> Generator[None]:
    """Within, ``text`` is the call that is being done, unless one is around it already."""
    token = _current.set(_current.get() or text)
    try:
        yield
    finally:
        _current.reset(token)


def recorded(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a public function: its call is recorded, and a misspelt argument is answered with the nearest name.

    Examples:
        >>> @recorded
        ... def train(recipe, corpus, *, out, fold=0):
        ...     return current_call()
        >>> train("server", "corpora/emodb", out="runs/one")
        "affuse.train('server', 'corpora/emodb', out='runs/one')"
        >>> train("server", "corpora/emodb", out="runs/one", foldd=1)
        Traceback (most recent call last):
        ...
        TypeError: affuse.train has no argument 'foldd' (did you mean 'fold'?)
    """
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in signature.parameters and not _takes_any(signature):
                raise TypeError(
                    f"affuse.{function.__name__} {_no_argument(name, list(signature.parameters))}"
                )
        if _current.get():
            return function(*args, **kwargs)
        with recorded_as(_as_written(function.__name__, args, kwargs)):
            return function(*args, **kwargs)

    return call


def _takes_any(signature: inspect.Signature) -> bool:
    return any(one.kind is one.VAR_KEYWORD for one in signature.parameters.values())


def _no_argument(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"it takes {', '.join(known)}"
    return f"has no argument {name!r} ({hint})"


def _as_written(name: str, args: tuple[object, ...], kwargs: Mapping[str, Any]) -> str:
    told = [_shortened(value) for value in args]
    told += [f"{key}={_shortened(value)}" for key, value in kwargs.items() if key != "progress"]
    return f"affuse.{name}({', '.join(told)})"


def _shortened(value: object) -> str:
    text = repr(str(value)) if hasattr(value, "__fspath__") else repr(value)
    return text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."

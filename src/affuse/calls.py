"""What was called, for the records that folders keep: a command as it was typed, or a call from Python."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from affuse.arguments import checked

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
    """Decorate a public function: its arguments are checked (``arguments.checked``) and its call is recorded.

    Examples:
        >>> @recorded
        ... def train(recipe: str, corpus: str, *, out: str):
        ...     return current_call()
        >>> train("server", "corpora/emodb", out="runs/one")
        "affuse.train('server', 'corpora/emodb', out='runs/one')"
    """
    careful = checked(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if _current.get():
            return careful(*args, **kwargs)
        with recorded_as(_as_written(function.__name__, args, kwargs)):
            return careful(*args, **kwargs)

    return call


def _as_written(name: str, args: tuple[object, ...], kwargs: Mapping[str, Any]) -> str:
    told = [_shortened(value) for value in args]
    told += [f"{key}={_shortened(value)}" for key, value in kwargs.items() if key != "progress"]
    return f"affuse.{name}({', '.join(told)})"


def _shortened(value: object) -> str:
    text = repr(str(value)) if hasattr(value, "__fspath__") else repr(value)
    return text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."

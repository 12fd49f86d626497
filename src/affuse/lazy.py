"""Packages whose public names are loaded when they are first used, and are known to ``dir`` all the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any


def lazy(
    package: str, names: Mapping[str, str], public: Sequence[str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make a package's ``__getattr__`` and ``__dir__``.

    Args:
        package: Its name.
        names: Public name -> "module:attribute", or the name of a module of its own.
        public: All that ``dir`` shows.

    Examples:
        >>> import affuse
        >>> affuse.lode
        Traceback (most recent call last):
        ...
        AttributeError: module 'affuse' has no attribute 'lode'; did you mean 'load'?
    """

    def get(name: str) -> Any:
        if name in names:
            module, _, attribute = names[name].partition(":")
            loaded = import_module(module)
            return getattr(loaded, attribute) if attribute else loaded
        close = [] if name.startswith("_") else get_close_matches(name, public, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise AttributeError(f"module {package!r} has no attribute {name!r}{hint}")

    return get, lambda: sorted(public)

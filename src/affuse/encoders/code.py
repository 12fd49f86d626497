"""Which code an encoder is: cached features of someone else's must not outlive a change of it."""

from __future__ import annotations

import inspect
import secrets
from functools import cache
from pathlib import Path

from affuse.files import digest, file_digest
from affuse.registry import package_of


@cache
def code_of(kind: type) -> str:
    """A text that changes when an encoder of someone else's does; of ours the name of its class.

    It holds the class's full name, the version of its package, and its source: the whole file where there is one, the
    class alone in a notebook. Without any source it is new in every process, so that nothing is taken from a cache.
    """
    if kind.__module__.partition(".")[0] == "affuse":
        return kind.__qualname__
    try:
        path = inspect.getsourcefile(kind)
        if path is not None and Path(path).is_file():
            source = file_digest(Path(path))
        else:
            source = digest(inspect.getsource(kind))
    except (OSError, TypeError):
        source = secrets.token_hex(16)
    return f"{kind.__module__}:{kind.__qualname__} {' '.join(package_of(kind))} {source}"

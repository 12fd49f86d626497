"""Atomic writes (temporary file beside the target, then rename) and content hashes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.file_names import ESCAPES, written

if TYPE_CHECKING:
    import pandas as pd

_UNDECODABLE = re.compile("[\ud800-\udfff]")
# Who is asked before a file takes its place: (what was written, its place); see ``outputs.py``
Watch = Callable[[Path, Path], None]
watching: ContextVar[tuple[Watch, ...]] = ContextVar("watching", default=())


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it onto ``path`` only if the block succeeds.

    Readers therefore see the old file or the new one, never half of one. The parent folder is made. The temporary
    name is short, for ``path`` may have the longest name that there can be; its suffix is the path's.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= 16 else ""
    handle, name = tempfile.mkstemp(prefix=".affuse-", suffix=f".tmp{suffix}", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        for watch in watching.get():
            watch(temporary, path)
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes 0600; a shared folder wants the usual mode
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically; bytes of a file name that are no text become escapes (``file_names.py``)."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors=ESCAPES)


def write_json(path: str | Path, value: Any) -> None:
    """Write indented JSON atomically."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    # all of them are within strings, where JSON wants the backslash of an escape doubled
    write_text(path, _UNDECODABLE.sub(lambda found: "\\" + written(found[0]), text) + "\n")


def write_csv(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as CSV atomically, without its index; names as ``write_text`` does."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, errors=ESCAPES)


def digest(*parts: str | bytes) -> str:
    """A 32-digit hex digest of the parts in order; part boundaries count."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        # a file name may hold bytes that are no text
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


def file_digest(path: str | Path) -> str:
    """A 32-digit hex digest of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current

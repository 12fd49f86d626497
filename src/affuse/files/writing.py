"""Atomic writes (temporary file beside the target, then rename) and content hashes."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.errors import AffuseError
from affuse.files.names import ESCAPES, written
from affuse.names import quote

if TYPE_CHECKING:
    import pandas as pd

_UNDECODABLE = re.compile("[\ud800-\udfff]")
# Who is asked before a file takes its place: (what was written, its place); see ``files/outputs.py``
Watch = Callable[[Path, Path], None]
watching: ContextVar[tuple[Watch, ...]] = ContextVar("watching", default=())


@contextmanager
def replacing(path: str | Path) -> Generator[Path]:
    """Yield a temporary path beside ``path``; rename it onto ``path`` only if the block succeeds.

    Readers therefore see the old file or the new one, never half of one. The parent folder is made. The temporary
    name is short, for ``path`` may have the longest name that there can be; its suffix is the path's.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= 16 else ""
    temporary = path.parent / f".affuse-{secrets.token_hex(6)}.tmp{suffix}"
    # The usual mode, for a shared folder wants it: tempfile's files are 0600, and to ask for the umask is to change it
    # for a moment, in all threads.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        for watch in watching.get():
            watch(temporary, path)
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        # a full disk names no file, and nobody knows the temporary one
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically; bytes of a file name that are no text become escapes (``files/names.py``)."""
    with replacing(path) as temporary:
        temporary.write_text(
            text, encoding="utf-8", errors=ESCAPES, newline="\n"
        )  # the same bytes on Windows


def write_json(path: str | Path, value: Any) -> None:
    """Write indented JSON atomically."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    # all of them are within strings, where JSON wants the backslash of an escape doubled
    write_text(path, _UNDECODABLE.sub(lambda found: "\\" + written(found[0]), text) + "\n")


def write_csv(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as CSV atomically, without its index, names as ``write_text`` does; ``read_csv`` reads it."""
    text = table.to_csv(index=False, lineterminator="\n")
    if "\r" in text:
        # pandas leaves a lone carriage return bare, and whoever reads it begins a new row there
        text = table.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    write_text(path, text)


def read_csv(path: str | Path, numbers: Collection[str] | Callable[[str], bool] = ()) -> pd.DataFrame:
    """Read a table that ``write_csv`` wrote. The one reader of affuse's own CSV files.

    Args:
        path: The file; one without any column gives a table without any.
        numbers: The columns of numbers, or whether a column is one; they are whole numbers where every cell is one,
            else floats (blank: NaN). All other columns are texts as they were written (blank: ""): a setting, label or
            id that reads ``null``, ``NA``, ``01`` or ``yes`` is that text.

    Raises:
        OSError: There is no such file.
        AffuseError: It is damaged; the sentence names file, row and column.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, na_filter=False, encoding="utf-8")
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise AffuseError(f"{path} is damaged ({' '.join(str(error).split())}); write it again.") from None
    is_number = numbers if callable(numbers) else lambda name: name in numbers
    for name in filter(is_number, map(str, table.columns)):
        values = pd.to_numeric(table[name].replace("", "nan"), errors="coerce")
        odd = table.index[values.isna() & ~table[name].isin(["", "nan"])]
        if len(odd):
            raise AffuseError(
                f"{path}, row {odd[0] + 2}, {name}: {quote(table[name][odd[0]])} is not a number; write the file again."
            )
        table[name] = values
    return table


def digest(*parts: str | bytes) -> str:
    """Digest parts in order, to 32 hex digits; part boundaries count.

    Examples:
        >>> digest("ab", "c") == digest("a", "bc"), len(digest("a"))
        (False, 32)
    """
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        # a file name may hold bytes that are no text
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


def file_digest(path: str | Path) -> str:
    """Digest a file's bytes, to 32 hex digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()

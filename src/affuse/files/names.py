"""File names that are not text: bytes that are no UTF-8, line breaks. How they are shown, written and found again."""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import unicodedata
from pathlib import Path
from typing import Any

# The error handler of encoders: bytes of a name that are no text are written as \xe9. Any: stubs know only their own
ESCAPES: Any = "affuse.escapes"
LONGEST = 255  # bytes of one name, on nearly every file system
_SEPARATORS = r"[/\\]" if os.sep == "\\" else "/"
_LONGEST_PATH = 4096  # bytes of a path on Linux; elsewhere it is less
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")


def written(text: str) -> str:
    r"""Write text as files hold it: bytes of a name that are no UTF-8 as ``\xe9``. Ordinary text stays as it is."""
    return text if text.isascii() else text.encode("utf-8", ESCAPES).decode("utf-8")


def shown(text: str) -> str:
    """Write text on one line, for people to read: control characters are escaped too."""
    return _CONTROL.sub(lambda found: _hex(found[0].encode()), written(text))


def find(path: str | Path) -> Path:
    """Find the file that a name in a table or message means.

    That is the name itself, or, where no such file is there, the one whose escapes (``written``, ``shown``) it is, or
    whose name is the same in another Unicode form: a table that was typed on one system names the files of another,
    composed here, decomposed there.
    """
    path = Path(path)
    text = str(path)
    if os.path.lexists(path):
        return path
    others = [unicodedata.normalize(form, text) for form in ("NFC", "NFD") if not text.isascii()]
    if "\\x" in text and os.name != "nt":  # names are texts on Windows, and \\x begins a folder's name
        plain = _ESCAPED.sub(lambda found: _byte(int(found[1], 16)), text)
        others.append(os.fsdecode(plain.encode("utf-8", "surrogateescape")))
    return next((Path(one) for one in others if os.path.lexists(one)), path)


def shortened(name: str, room: int) -> str:
    """Shorten a name to ``room`` bytes: itself, or its beginning and a digest of the whole, the same at every run.

    Examples:
        >>> shortened("utterance", 12), shortened("utterance of the first session", 16)
        ('utterance', 'utteran-38ffd337')
    """
    data = os.fsencode(name)
    if len(data) <= room:
        return name
    mark = f"-{hashlib.blake2b(data, digest_size=4).hexdigest()}"
    return data[: room - len(mark)].decode("utf-8", "ignore").rstrip() + mark


def too_long(path: str) -> bool:
    """Whether no file can have this path: sound that was put into a table by its bytes or as a data URI has none."""
    plain = _ESCAPED.sub("x", path)  # an escape stands for one byte
    parts = [len(part.encode("utf-8", "surrogatepass")) for part in re.split(_SEPARATORS, plain)]
    return max(parts) > LONGEST or sum(parts) + len(parts) > _LONGEST_PATH


def _byte(value: int) -> str:
    return chr(value if value < 0x80 else 0xDC00 + value)


def _hex(data: bytes) -> str:
    return "".join(f"\\x{value:02x}" for value in data)


def _escape(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    lost = error.object[error.start : error.end]
    return "".join(
        _hex(bytes([ord(one) - 0xDC00])) if "\udc80" <= one <= "\udcff" else f"\\u{ord(one):04x}"
        for one in lost
    ), error.end


codecs.register_error(ESCAPES, _escape)

"""A file's text, in one form of Unicode, or a sentence that says why it is no text."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from affuse.errors import AffuseError, argument

_UNSEEN = dict.fromkeys(map(ord, "\ufeff\u200b"))  # marks of no width that stand within words
# how files begin that are no text -> what they are
_BINARY = {
    b"%PDF": "a PDF document", b"PK\x03\x04": "a Word, LibreOffice or other zipped document",
    b"\xd0\xcf\x11\xe0": "an old Word document", b"\x1f\x8b": "compressed by gzip", b"RIFF": "a sound or video file",
    b"ID3": "a sound file", b"OggS": "a sound file", b"fLaC": "a sound file", b"\x1aE\xdf\xa3": "a video file",
}  # fmt: skip


def composed(text: str) -> str:
    """NFC: one code for a letter with its accent, as tokenizers know it, whichever way the file has it."""
    return unicodedata.normalize("NFC", text).translate(_UNSEEN)


def read_text(path: Path) -> str:
    """The file's text, NFC, its lines ending in line feeds.

    Raises:
        AffuseError: Where it cannot be read as text.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise AffuseError(f"There is no text file {path}; correct {argument('text')}.") from None
    except OSError as error:
        raise AffuseError(f"{path} cannot be read ({(error.strerror or str(error)).lower()}).") from None
    for mark, what in _BINARY.items():
        if data.startswith(mark):
            raise AffuseError(f"{path} is {what}, no text; save its words as plain text or SRT, in UTF-8.")
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise AffuseError(
            f"{path} is not {encoding.removesuffix('-sig').upper()} text (byte {error.start + 1} is "
            f"0x{data[error.start]:02x}); save it as UTF-8."
        ) from None
    if "\0" in text:
        raise AffuseError(f"{path} is not a text file: it holds zero bytes; save its words as UTF-8 text.")
    return composed(text.replace("\r\n", "\n").replace("\r", "\n"))

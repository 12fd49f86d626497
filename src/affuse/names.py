"""Names as users write them: one form for each, which of them are alike, and how a message quotes them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

# Marks of no width that copying leaves behind; joiners (U+200C, U+200D) stay, for words and emoji need them.
_UNSEEN = re.compile("[\u200b\u2060\ufeff\u00ad]")
_BLANKS = re.compile(r"[^\S\t\n\r]")  # the non-breaking space and similar ones, and the plain one
_SHOWN = 60  # letters of a cell that a message quotes
_COMPARED = 200  # letters of a name that are looked at for a near one
BLANK_WORDS = frozenset(
    {"nan", "na", "n/a", "#n/a", "null", "none", "<na>", "nat"}
)  # what programs write for nothing


def tidy(text: str) -> str:
    """Write text in Unicode's composed form (NFC), its blanks plain, without unseen marks and blanks around it.

    José is one name, however its é was typed. Not for paths: a file system keeps the form as it is.
    """
    if text.isascii() and text.isprintable():  # most cells of a table
        return text.strip()
    return _BLANKS.sub(" ", _UNSEEN.sub("", unicodedata.normalize("NFC", text))).strip()


def alike(name: str) -> str:
    """Give names that differ in case, blanks or Unicode form alone one form.

    Examples:
        >>> alike("Anna ") == alike("anna")
        True
    """
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join("".join(c for c in plain if unicodedata.category(c) != "Cf").split())


def spellings(names: Iterable[str]) -> list[list[str]]:
    """Group names that are alike; groups and names are in order.

    Examples:
        >>> spellings(["anna", "Ben", "Anna"])
        [['Anna', 'anna']]
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        groups.setdefault(alike(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def quote(value: object) -> str:
    """Write a value in quotes, shortened: a cell may hold a whole file."""
    text = str(value) if isinstance(value, bytes | bytearray) else value
    if type(text).__module__ == "numpy" and getattr(text, "ndim", 1) == 0:
        plain: Callable[[], object] | None = getattr(text, "item", None)
        text = plain() if plain else text  # 2.5, where NumPy would say np.float64(2.5)
    if isinstance(text, str) and len(text) > _SHOWN:
        return f"{text[: _SHOWN - 3]!r}... ({len(text)} letters)"
    quoted = repr(text)
    return quoted if len(quoted) <= 2 * _SHOWN else f"{quoted[: _SHOWN - 3]}..."


def listed(names: Iterable[object], most: int = 20) -> str:
    """Write names with commas between, the first few where there are many.

    Examples:
        >>> listed(["a", "b", "c"], most=2)
        'a, b, and 1 more'
    """
    shown = [str(name) if len(str(name)) <= _SHOWN else f"{str(name)[: _SHOWN - 3]}..." for name in names]
    more = [f"and {len(shown) - most} more"] if len(shown) > most else []
    return ", ".join([*shown[:most], *more])


def near(name: str, known: Sequence[str]) -> str:
    """A hint for a message: 'did you mean 'concat'?', or what there is where nothing is like it."""
    close = get_close_matches(name[:_COMPARED], known, n=1)
    return f"did you mean {quote(close[0])}?" if close else f"there are {listed(known)}"


def counted(number: int, what: str) -> str:
    """Count something, in singular or plural.

    Examples:
        >>> counted(1, "row"), counted(2, "row")
        ('1 row', '2 rows')
    """
    return f"{number} {what}{'' if number == 1 else 's'}"

"""Figures with texts that come from users: drawn as they stand, whatever is in them.

matplotlib takes what stands between two dollar signs for mathematics and stops where it is none; it warns of every
letter that its font lacks; and an SVG with a control character is no XML.
"""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure


def literal(figure: Figure) -> Figure:
    """The figure, its texts no longer read as mathematics or TeX; what cannot be drawn is shown as its code."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_parse_math(False)
        text.set_usetex(False)
        if not _can_be_drawn(text.get_text()):
            text.set_text(_drawable(text.get_text()))
    return figure


def save_literally(figure: Figure, target: str | Path | IO[Any], **how: Any) -> None:
    """``figure.savefig``, its texts ``literal``; letters that no font has are boxes, without a word."""
    with _plain_letters():
        literal(figure).savefig(target, **how)


@contextmanager
def _plain_letters() -> Iterator[None]:
    """Ticks are made while the figure is drawn, so their texts need the setting and not only the change."""
    import matplotlib

    with warnings.catch_warnings(), matplotlib.rc_context({"text.parse_math": False, "text.usetex": False}):
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from")
        warnings.filterwarnings(
            "ignore", message="Matplotlib currently does not support"
        )  # some scripts, as of India
        yield


def _can_be_drawn(text: str) -> bool:
    return not any(unicodedata.category(letter) in ("Cc", "Cs") and letter != "\n" for letter in text)


def _drawable(text: str) -> str:
    r"""Bytes of a file name that are no text, and control characters, as their codes: ``caf\xe9.wav``."""
    shown = []
    for letter in text:
        if 0xDC80 <= ord(letter) <= 0xDCFF:
            shown.append(f"\\x{ord(letter) - 0xDC00:02x}")
        elif _can_be_drawn(letter):
            shown.append(letter)
        else:
            shown.append(letter.encode("unicode_escape").decode("ascii"))
    return "".join(shown)

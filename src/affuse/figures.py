"""Figures with texts that come from users: drawn as they stand, whatever is in them.

matplotlib takes what stands between two dollar signs for mathematics and stops where it is none; it warns of every
letter that its font lacks; and an SVG with a control character is no XML.
"""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from io import StringIO
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


def svg_literally(figure: Figure) -> str:
    """The figure as an SVG file on a clear ground, as ``save_literally`` would write it, in half the time.

    ``savefig`` draws twice where axes are laid out to fit: once for the places alone.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
        patch.set(facecolor="none", edgecolor="none")
    stream = StringIO()
    with _plain_letters():
        FigureCanvasSVG(literal(figure)).print_svg(stream, metadata={"Date": None, "Creator": None})
    return stream.getvalue()


@lru_cache(maxsize=10_000)
def text_inches(text: str, points: float) -> float:
    """How wide a text is drawn, in inches, in the usual font at so many points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    shown = text if _can_be_drawn(text) else _drawable(text)
    with _plain_letters():
        width, _, _ = text_to_path.get_text_width_height_descent(
            shown, FontProperties(size=points), ismath=False
        )
    return float(width) / 72


def cut_to(text: str, inches: float, points: float, *, middle: bool = False) -> str:
    """The text where it fits into so many inches, else cut with an ellipsis (``middle``: there); "" without room."""
    if text_inches(text, points) <= inches:
        return text

    def cut(letters: int) -> str:
        if middle:
            return f"{text[: letters - letters // 2].rstrip()}…{text[len(text) - letters // 2 :].lstrip()}"
        return f"{text[:letters].rstrip()}…"

    fits, too_many = 0, min(len(text), int(inches * 72 / points * 8) + 1)
    while too_many - fits > 1:
        letters = (fits + too_many) // 2
        if text_inches(cut(letters), points) <= inches:
            fits = letters
        else:
            too_many = letters
    return cut(fits) if fits else ""


@contextmanager
def _plain_letters() -> Generator[None]:
    """Ticks are made while the figure is drawn, so their texts need the setting and not only the change."""
    import matplotlib

    with warnings.catch_warnings(), matplotlib.rc_context({"text.parse_math": False, "text.usetex": False}):
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from")
        # a name that leaves no room for the axes: the picture is drawn without the layout then
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        warnings.filterwarnings(
            "ignore", message="Matplotlib currently does not support"
        )  # some scripts, as of India
        yield


def _can_be_drawn(text: str) -> bool:
    return not any(unicodedata.category(letter) in ("Cc", "Cs") and letter != "\n" for letter in text)


def _drawable(text: str) -> str:
    """Bytes of a file name that are no text, and control characters, as their codes."""
    shown = []
    for letter in text:
        if 0xDC80 <= ord(letter) <= 0xDCFF:
            shown.append(f"\\x{ord(letter) - 0xDC00:02x}")
        elif _can_be_drawn(letter):
            shown.append(letter)
        else:
            shown.append(letter.encode("unicode_escape").decode("ascii"))
    return "".join(shown)

"""``affuse list``."""

from __future__ import annotations

import shutil
import textwrap
from typing import Annotated

import typer

_WIDEST = 100  # longer lines are hard to read


def list_parts(
    family: Annotated[
        str, typer.Argument(help="losses, weightings, encoders, fusions, corpora or recipes (default: all).")
    ] = "",
) -> None:
    """List the parts that recipes can name, and the packaged recipes, with what each is."""
    import affuse
    from affuse.api.catalogue import FAMILIES
    from affuse.cli.console import out

    for name in [family] if family else FAMILIES:
        found = {part: f"{text}{_origin(name, part)}" for part, text in affuse.list_parts(name).items()}
        if not family:
            out.print(f"{name.capitalize()}:")
            found = {
                part: _first_sentence(text) if name == "recipes" else text for part, text in found.items()
            }
        out.print(_table(found), soft_wrap=True)
        if not family and name != FAMILIES[-1]:
            out.print()


def _table(rows: dict[str, str]) -> str:
    """The names, and beside them the texts, folded to the width of the terminal."""
    width = max(map(len, rows))
    room = min(shutil.get_terminal_size().columns, _WIDEST) - 1
    lines: list[str] = []
    for name, text in rows.items():
        lines += textwrap.wrap(
            f"  {name:<{width}}  {text}",
            max(room, width + 24),
            subsequent_indent=" " * (width + 4),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)


def _origin(family: str, name: str) -> str:
    """' [package 1.2]' of a part that is not affuse's own."""
    from affuse.parts.registry import is_own, origin

    return "" if family == "recipes" or is_own(family, name) else f" [{origin(family, name)}]"


def _first_sentence(text: str) -> str:
    sentence, stop, _ = text.partition(". ")
    return sentence + stop.strip()

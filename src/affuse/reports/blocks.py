"""What a report is built of: sections of prose, tables, figures and facts, shown as HTML or as Markdown alike."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import pandas as pd


class Cell(NamedTuple):
    """One cell of a table. ``sort`` makes it a number, on the right and in the order of numbers."""

    text: str
    sort: float | None = None
    href: str = ""


@dataclass(frozen=True)
class Prose:
    """A paragraph. tone: plain, soft (small print) or verdict (what to take away)."""

    kind: ClassVar[str] = "prose"
    text: str
    tone: str = "plain"


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Table:
    """A table that a click on a heading sorts.

    prose: some cells are sentences, which may wrap; page_only: headings of columns that ``tables.tex`` has no room for;
    notes: what its marks mean, in sentences, printed under it wherever it is shown.
    """

    kind: ClassVar[str] = "table"
    headings: Sequence[str]
    lines: Sequence[Sequence[Cell]]
    prose: bool = False
    page_only: Collection[str] = ()
    notes: Sequence[str] = ()

    def to_frame(self) -> pd.DataFrame:
        """As text, for a terminal."""
        lines = [[cell.text for cell in line] for line in self.lines]
        return pd.DataFrame(lines, columns=pd.Index(self.headings))


@dataclass(frozen=True)
class Figure:
    """An <svg> element and what to see in it.

    Args:
        svg: The element.
        caption: What it shows, and what to look for.
        title: Above it.
        wide: On a telephone it scrolls instead of shrinking.
        narrow: Takes its place on a telephone; "": nothing does.
    """

    kind: ClassVar[str] = "figure"
    svg: str
    caption: str
    title: str = ""
    wide: bool = True
    narrow: str = ""


@dataclass(frozen=True)
class Figures:
    """Figures side by side, as many as there is room for."""

    kind: ClassVar[str] = "figures"
    figures: Sequence[Figure]


@dataclass(frozen=True)
class Facts:
    """Names with their values."""

    kind: ClassVar[str] = "facts"
    items: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Notes:
    """A list of sentences under ``summary``, folded away unless ``open``."""

    kind: ClassVar[str] = "notes"
    summary: str
    lines: Sequence[str]
    open: bool = False


Block = Prose | Heading | Table | Figure | Figures | Facts | Notes


@dataclass(frozen=True)
class Section:
    """A chapter of the page. ``paper``: its tables of numbers go into ``tables.tex`` too."""

    title: str
    blocks: list[Block] = field(default_factory=list)
    paper: bool = False

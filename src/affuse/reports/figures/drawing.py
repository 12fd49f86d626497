"""How a report's figures look: inline SVG in the page's own ink, legible to colour-blind readers, light or dark.

Every figure is drawn on a clear ground with its lines and letters in a marker colour, which then becomes
``currentColor``: it takes the page's own ink, in the light theme, in the dark one and in print.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from affuse.figures import svg_literally

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette, without its yellow (too pale on paper) and its black (unseen on a dark page)
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
# beside the colour, for readers who do not see it and for grey prints
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "<", ">", "*")
INK = "#010203"  # stands for the page's ink until the SVG is written
INCHES = 6.0  # width of a figure at its natural size
NARROW = 3.7  # the same for a telephone


class Drawing(NamedTuple):
    """A figure as two <svg> elements: for a desk, and for a telephone, where the labels stand above the lines."""

    wide: str
    narrow: str


def new_figure(height: float, width: float = INCHES) -> tuple[Figure, Any]:
    """A figure of one pair of axes, in inches."""
    figure, grid = new_grid(1, 1, height, width)
    return figure, grid[0]


def new_grid(
    rows: int, columns: int, height: float, width: float = INCHES, **shared: Any
) -> tuple[Figure, list[Any]]:
    """A figure of rows x columns axes, row by row, in inches; ``shared`` as matplotlib's ``subplots`` has it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    grid = list(figure.subplots(rows, columns, squeeze=False, **shared).ravel())
    for axes in grid:
        dress(axes)
    return figure, grid


def columns_for(panels: int) -> int:
    """How many panels of a grid stand side by side: three or four, whichever leaves fewer places empty."""
    return min(panels, 4 if panels in (4, 7, 8) else 3)


def set_title(axes: Any, name: str) -> None:
    """A panel's title, long names over several lines."""
    text = name if len(name) < 18 else name.replace(", ", ",\n").replace("+", " +\n")
    axes.set_title(text, fontsize=8, color=INK)


def two_lines(label: str) -> str:
    """A row's label, a long one over two lines: beside it the figure keeps its room."""
    return label if len(label) < 24 else label.replace(", ", ",\n", 1)


def dress(axes: Any) -> None:
    """Axes in the page's ink on a clear ground."""
    axes.patch.set_alpha(0)
    for name in ("top", "right"):
        axes.spines[name].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color(INK)
    axes.tick_params(colors=INK, labelsize=9)
    for text in (axes.xaxis.label, axes.yaxis.label):
        text.set_color(INK)
        text.set_fontsize(9)


def legend(figure: Figure, handles: list[Any], labels: list[str], columns: int = 4, size: int = 9) -> None:
    """A legend above the panels, in the page's ink, in as many columns as its texts have room for."""
    room = figure.get_figwidth() - 0.2
    fitting = next((n for n in range(columns, 1, -1) if _legend_width(labels, n, size) <= room), 1)
    shown = figure.legend(
        handles, labels, loc="outside upper center", ncols=fitting, frameon=False, fontsize=size
    )
    for text in shown.get_texts():
        text.set_color(INK)


def _legend_width(labels: Sequence[str], columns: int, size: int) -> float:
    """In inches, about: a letter is 0.6 of its height wide; the handle and the gaps are 5 letters' heights."""
    letters = size / 72
    lines = math.ceil(len(labels) / columns)
    parts = [labels[start : start + lines] for start in range(0, len(labels), lines)]
    return sum(max(0.6 * len(text) for text in part) * letters + 5 * letters for part in parts)


def as_svg(figure: Figure, name: str) -> str:
    """The figure as an <svg> element: page's ink, ids of its own (after ``name``), no size but its proportions."""
    import matplotlib

    # letters stay letters: they can be selected and searched; a fixed salt makes the file repeatable
    with matplotlib.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "affuse", "font.family": "sans-serif"}
    ):
        text = svg_literally(figure)
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL).replace(INK, "currentColor")
    slug = re.sub(r"\W+", "-", name)
    text = re.sub(r'(\bid="|url\(#|href="#)', lambda match: f"{match[1]}{slug}-", text)
    # at most 1.25 times its natural size; a point is 4/3 CSS pixels
    width = float(re.findall(r'viewBox="0 0 ([\d.]+)', text)[0]) * 4 / 3 * 1.25
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    return text.replace("<svg", f'<svg role="img" style="width:100%;max-width:{width:.0f}px;height:auto"', 1)

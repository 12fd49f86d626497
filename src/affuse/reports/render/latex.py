"""``tables.tex``: the report's main tables for a paper, with booktabs.

A page is narrower than a screen: columns that say the same in every line go into the caption, an interval stands
behind its number, headings are stacked, and what is still wider than the line is scaled down to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from affuse.reports.blocks import Cell, Section, Table
from affuse.reports.numbers import INTERVAL, MINUS, UNKNOWN

_HEAD = """% Made by affuse from {title}.
% Needs \\usepackage{{booktabs,graphicx}} and \\usepackage[T1]{{fontenc}}.
% \\input{{tables}} takes them all; each table stands alone as well. In two columns, make wide ones table*.
"""
# what pdflatex has no letter for
_SYMBOLS = {
    MINUS: "$-$", "±": r"$\pm$", "†": r"\textdagger{}", "‡": r"\textdaggerdbl{}", "§": r"\S{}", "¶": r"\P{}",
    "→": r"$\rightarrow$", "<": "$<$", ">": "$>$",
}  # fmt: skip
_UNDER = r"\par\smallskip\begin{minipage}{\linewidth}\footnotesize"
_FIT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


def to_latex(title: str, sections: Sequence[Section], note: str) -> str:
    """A ``table`` environment for every table of the sections meant for papers; ``note`` ends each caption."""
    parts = [_HEAD.format(title=" ".join(title.split()))]
    for section in sections:
        if not section.paper:
            continue
        tables = [
            block
            for block in section.blocks
            if isinstance(block, Table) and not {*block.headings} <= {*block.page_only}
        ]
        for i, table in enumerate(tables, 1):
            name = section.title + (f" ({i})" if len(tables) > 1 else "")
            parts.append(_environment(table, f"{title}. {name}", note))
    return "\n".join(parts)


def _environment(table: Table, caption: str, note: str) -> str:
    headings, lines, constant = narrow(table)
    told = "; ".join(f"{heading}: {text}" for heading, text in constant)
    caption = ". ".join(part.removesuffix(".") for part in (caption, told, note) if part) + "."
    notes = " ".join(escape(note) for note in table.notes)
    numeric = [bool(lines) and lines[0][i].sort is not None for i in range(len(headings))]
    tops = [
        _heading(heading, max((len(line[i].text) for line in lines), default=0), "r" if numeric[i] else "l")
        for i, heading in enumerate(headings)
    ]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering\small\setlength{\tabcolsep}{4pt}",
            rf"\caption{{{escape(caption)}}}",
            _FIT,
            rf"\begin{{tabular}}{{{''.join('r' if right else 'l' for right in numeric)}}}",
            r"\toprule",
            " & ".join(tops) + r" \\",
            r"\midrule",
            *(" & ".join(escape(cell.text) for cell in line) + r" \\" for line in lines),
            r"\bottomrule",
            r"\end{tabular}}",
            *([rf"{_UNDER} {notes}\end{{minipage}}"] if notes else []),
            r"\end{table}",
            "",
        ]
    )


def narrow(table: Table) -> tuple[list[str], list[list[Cell]], list[tuple[str, str]]]:
    """Headings and lines as a paper has room for; and (heading, value) of columns that always say the same."""
    headings: list[str] = []
    columns: list[list[Cell]] = []
    for i, heading in enumerate(table.headings):
        cells = [line[i] for line in table.lines]
        if heading == INTERVAL and columns:
            columns[-1] = [_behind(*pair) for pair in zip(columns[-1], cells, strict=True)]
        elif heading not in table.page_only:
            headings.append(heading)
            columns.append(cells)
    constant = [
        i
        for i, cells in enumerate(columns)
        if i and len(cells) > 2 and len({cell.text for cell in cells}) == 1
    ]
    kept = [i for i in range(len(columns)) if i not in constant]
    lines = [[columns[i][row] for i in kept] for row in range(len(table.lines))]
    told = [(headings[i], columns[i][0].text) for i in constant if columns[i][0].text not in ("", UNKNOWN)]
    return [headings[i] for i in kept], lines, told


def _behind(value: Cell, interval: Cell) -> Cell:
    if interval.text in ("", UNKNOWN):
        return value
    return Cell(f"{value.text} [{interval.text.replace(' to ', ', ')}]", value.sort)


def _heading(text: str, width: int, side: str) -> str:
    """On as many lines as keep it no wider than its column, words whole."""
    width = max(width, *(len(word) for word in text.split()), 0) if text else 0
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if len(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    lines = [escape(line) for line in lines if line]
    stacked = r" \\ ".join(lines)
    return stacked if len(lines) < 2 else rf"\shortstack[{side}]{{{stacked}}}"


def escape(text: str) -> str:
    """Plain text as LaTeX."""
    text = text.replace("\\", r"\textbackslash ")
    for letter in "&%$#_{}":
        text = text.replace(letter, f"\\{letter}")
    text = text.replace("~", r"\textasciitilde{}").replace("^", r"\textasciicircum{}")
    for letter, latex in _SYMBOLS.items():
        text = text.replace(letter, latex)
    return text

"""``tables.tex``: the report's main tables for a paper, with booktabs."""

from __future__ import annotations

from collections.abc import Sequence

from affuse.reports.blocks import Section, Table
from affuse.reports.numbers import MINUS

_HEAD = """% Made by affuse from {title}. Needs \\usepackage{{booktabs}} and \\usepackage[T1]{{fontenc}}.
% \\input{{tables}} takes them all; each table stands alone as well.
"""
# what pdflatex has no letter for
_SYMBOLS = {MINUS: "$-$", "±": r"$\pm$", "‡": r"\textdaggerdbl{}", "<": "$<$", ">": "$>$"}


def to_latex(title: str, sections: Sequence[Section], note: str) -> str:
    """A ``table`` environment for every table of the sections meant for papers; ``note`` ends each caption."""
    parts = [_HEAD.format(title=title)]
    for section in sections:
        if not section.paper:
            continue
        tables = [block for block in section.blocks if isinstance(block, Table)]
        for i, table in enumerate(tables, 1):
            name = section.title + (f" ({i})" if len(tables) > 1 else "")
            parts.append(_environment(table, ". ".join(part for part in (f"{title}. {name}", note) if part)))
    return "\n".join(parts)


def _environment(table: Table, caption: str) -> str:
    numeric = [bool(table.lines) and table.lines[0][i].sort is not None for i in range(len(table.headings))]
    lines = [
        r"\begin{table}",
        r"\centering\small",
        rf"\caption{{{escape(caption)}}}",
        rf"\begin{{tabular}}{{{''.join('r' if right else 'l' for right in numeric)}}}",
        r"\toprule",
        " & ".join(escape(heading) for heading in table.headings) + r" \\",
        r"\midrule",
        *(" & ".join(escape(cell.text) for cell in line) + r" \\" for line in table.lines),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
        "",
    ]
    return "\n".join(lines)


def escape(text: str) -> str:
    """Plain text as LaTeX."""
    text = text.replace("\\", r"\textbackslash ")
    for letter in "&%$#_{}":
        text = text.replace(letter, f"\\{letter}")
    text = text.replace("~", r"\textasciitilde{}").replace("^", r"\textasciicircum{}")
    for letter, latex in _SYMBOLS.items():
        text = text.replace(letter, latex)
    return text

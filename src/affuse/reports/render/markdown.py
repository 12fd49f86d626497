"""``report.md``: the report's words and tables as Markdown; of its figures the captions."""

from __future__ import annotations

from collections.abc import Sequence

from affuse.reports.blocks import Block, Facts, Figure, Figures, Heading, Notes, Prose, Section, Table
from affuse.training.comparison_folder import PAGE


def to_markdown(title: str, lead: str, warnings: Sequence[str], sections: Sequence[Section]) -> str:
    """The whole report."""
    parts = [f"# {title}", lead]
    if warnings:
        parts.append("\n".join(f"> - {warning}" for warning in warnings))
    for section in sections:
        parts.append(f"## {section.title}")
        parts += [text for block in section.blocks if (text := _block(block))]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    match block:
        case Prose(text=text):
            return f"**{text}**" if block.tone == "verdict" else text
        case Heading(text=text):
            return f"### {text}"
        case Table():
            return _table(block)
        case Figure():
            title = f" ({block.title})" if block.title else ""
            return f"*Figure in {PAGE}{title}{': ' if block.caption else ''}{block.caption}*"
        case Figures(figures=figures):
            return "\n\n".join(_block(figure) for figure in figures)
        case Facts(items=items):
            return "\n".join(f"- {name}: {value}" for name, value in items)
        case Notes(lines=lines):
            return "\n".join([f"{block.summary}:", "", *(f"- {line}" for line in lines)])


def _table(table: Table) -> str:
    numeric = [bool(table.lines) and table.lines[0][i].sort is not None for i in range(len(table.headings))]
    lines = [[*table.headings], ["---:" if right else "---" for right in numeric]]
    for row in table.lines:
        lines.append([f"[{_plain(c.text)}]({c.href})" if c.href else _plain(c.text) for c in row])
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return "\n\n".join([text, *table.notes])


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

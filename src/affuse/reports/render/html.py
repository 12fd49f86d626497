"""``report.html``: any sections as one page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from affuse.reports.blocks import Section


def to_html(title: str, lead: str, warnings: Sequence[str], sections: Sequence[Section]) -> str:
    """The whole page, with its style and the script that sorts its tables.

    Args:
        title: The heading of the page.
        lead: What the report is of, in a line.
        warnings: What must be known before any number is believed, in sentences.
        sections: The chapters; their titles make the list of contents.
    """
    environment = Environment(
        loader=PackageLoader("affuse.reports.render", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html.j2")
    named = [(f"section-{i}", section) for i, section in enumerate(sections, 1)]
    return template.render(title=title, lead=lead, warnings=warnings, sections=named)

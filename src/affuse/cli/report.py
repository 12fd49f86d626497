"""``affuse report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[Path, typer.Argument(help="Folder that 'affuse compare' or 'affuse reproduce' wrote.")],
) -> None:
    """The HTML page of a comparison or a reproduction, again, from what lies in its folder."""
    from affuse.cli.console import out
    from affuse.reports.page import write_page
    from affuse.reproduction.report.page import write_reproduction_page
    from affuse.reproduction.report.record import is_reproduction

    page = write_reproduction_page(folder) if is_reproduction(folder) else write_page(folder)
    out.print(f"The report is {page}: open it in a browser.", markup=False, soft_wrap=True)

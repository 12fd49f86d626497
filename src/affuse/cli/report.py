"""``affuse report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[Path, typer.Argument(help="Folder that 'affuse compare' wrote.")],
) -> None:
    """The HTML page of a comparison, again, from what lies in its folder."""
    from affuse.cli.console import out
    from affuse.reports.page import write_page

    out.print(f"The report is {write_page(folder)}: open it in a browser.", markup=False, soft_wrap=True)

"""``affuse report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affuse.cli.predict import OVERWRITE_HELP


def report(
    folder: Annotated[Path, typer.Argument(help="Folder that 'affuse compare' or 'affuse reproduce' wrote.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help=OVERWRITE_HELP)] = False,
) -> None:
    """The HTML page of a comparison or a reproduction, again, from what lies in its folder."""
    from affuse.cli.console import out
    from affuse.reports.pages.comparison import write_comparison_page
    from affuse.reproduction.report.page import write_reproduction_page
    from affuse.reproduction.report.record import is_reproduction, reproduction_outputs
    from affuse.training.comparison_folder import comparison_outputs

    if is_reproduction(folder):
        with reproduction_outputs(folder, overwrite).writing():
            page = write_reproduction_page(folder)
    else:
        with comparison_outputs(folder, overwrite).writing():
            page = write_comparison_page(folder)
    out.print(f"The report is {page}: open it in a browser.", markup=False, soft_wrap=True)

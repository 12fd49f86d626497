"""``affuse report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affuse.cli.predict import OVERWRITE_HELP


def report(
    folder: Annotated[Path, typer.Argument(help="What 'affuse train', 'compare' or 'reproduce' wrote.")],
    corpus: Annotated[
        Path | None, typer.Option(help="Of a run: its corpus, to show groups of speakers and clips.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help=OVERWRITE_HELP)] = False,
) -> None:
    """Write the HTML page of a run, a comparison or a reproduction again."""
    import affuse
    from affuse.cli.console import bars, out

    with bars():
        page = affuse.report(folder, corpus=corpus, overwrite=overwrite)
    out.print(f"The report is {page}: open it in a browser.", soft_wrap=True)

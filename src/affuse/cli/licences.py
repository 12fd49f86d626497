"""``affuse licences``."""

from __future__ import annotations

from typing import Annotated

import typer


def licences(
    model: Annotated[str, typer.Argument(help="Model folder, run folder, starter or Hub id.")],
) -> None:
    """Say under which licences the parts of a model stand, and whether that leaves commercial use free."""
    import affuse
    from affuse.cli.console import out

    found = affuse.licences(model)
    for one in found.parts:
        out.print(
            f"{one.part}: {one.what}: {one.licence} (commercial use: {one.commercial})",
            soft_wrap=True,
            markup=False,
        )
    out.print(found.verdict, soft_wrap=True, markup=False)

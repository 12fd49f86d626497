"""``affuse push`` and ``affuse pull``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ID_HELP = "Model on the Hugging Face Hub: owner/name."


def push(
    model: Annotated[Path, typer.Argument(help="Model folder (or the run folder that holds it).")],
    hub_id: Annotated[str, typer.Argument(help=ID_HELP)],
    private: Annotated[bool, typer.Option("--private", help="Make a new model private.")] = False,
    self_contained: Annotated[
        bool, typer.Option("--self-contained", help="Upload the frozen encoders too; mind their licences.")
    ] = False,
) -> None:
    """Upload a model folder to the Hub (token: 'hf auth login' or HF_TOKEN)."""
    from affuse.cli.console import out
    from affuse.models.sharing import push as upload

    address = upload(model, hub_id, private=private, self_contained=self_contained)
    out.print(f"The model is at {address}", markup=False, soft_wrap=True)


def pull(
    hub_id: Annotated[str, typer.Argument(help=f"{ID_HELP[:-1]}, or owner/name@revision.")],
    out: Annotated[Path, typer.Argument(help="New folder to write.")],
) -> None:
    """Download a model folder from the Hub and check every file of it."""
    from affuse.cli.console import out as output
    from affuse.models.sharing import pull as fetch

    output.print(f"The model is in {fetch(hub_id, out)}", markup=False, soft_wrap=True)

"""``affuse push`` and ``affuse pull``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ID_HELP = "Model on the Hugging Face Hub: owner/name."


def push(
    model: Annotated[Path, typer.Argument(help="Model folder, or the run folder that holds it.")],
    hub_id: Annotated[str, typer.Argument(help=ID_HELP)],
    private: Annotated[bool, typer.Option("--private", help="Make a new model private.")] = False,
    self_contained: Annotated[
        bool, typer.Option("--self-contained", help="Upload the frozen encoders too; mind their licences.")
    ] = False,
) -> None:
    """Upload a model to the Hugging Face Hub.

    It needs a token that may write: run 'hf auth login', or set HF_TOKEN.
    """
    import affuse
    from affuse.cli.console import out

    address = affuse.push(model, hub_id, private=private, self_contained=self_contained)
    out.print(f"The model is at {address}", soft_wrap=True)


def pull(
    hub_id: Annotated[str, typer.Argument(help=f"{ID_HELP[:-1]}, or owner/name@revision.")],
    out: Annotated[Path, typer.Argument(help="New folder to write.")],
) -> None:
    """Download a model from the Hugging Face Hub, and check every file of it."""
    import affuse
    from affuse.cli.console import out as output

    output.print(f"The model is in {affuse.pull(hub_id, out)}", soft_wrap=True)

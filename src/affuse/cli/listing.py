"""``affuse list``."""

from __future__ import annotations

from typing import Annotated

import typer


def list_parts(
    family: Annotated[
        str, typer.Argument(help="losses, weightings, encoders, fusions, corpora or recipes; blank: all.")
    ] = "",
) -> None:
    """What this affuse has: parts by name, with what they are."""

    from affuse.cli.console import out
    from affuse.errors import AffuseError
    from affuse.files.yaml_text import read_yaml
    from affuse.recipe import packaged_recipes
    from affuse.registry import PARTS, get, names, unknown

    families = [*PARTS, "recipes"]
    if family and family not in families:
        raise AffuseError(f"{unknown(family, families, 'lists')}.")
    for name in [family] if family else families:
        if not family:
            out.print(name, style="bold")
        if name == "recipes":
            lines = {
                recipe: " ".join(
                    read_yaml(resource.read_text(encoding="utf-8"), recipe)["description"].split()
                )
                for recipe, resource in packaged_recipes().items()
            }
        else:
            lines = {part: _summary(get(name, part)) for part in names(name)}
        width = max(map(len, lines))
        for part, text in lines.items():
            out.print(f"  {part:<{width}}  {text}", markup=False, soft_wrap=True)


def _summary(part: object) -> str:
    return (part.__doc__ or "").strip().splitlines()[0] if part.__doc__ else ""

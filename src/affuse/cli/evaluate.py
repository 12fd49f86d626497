"""``affuse evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affuse.cli.predict import OVERWRITE_HELP
from affuse.cli.train import CACHE_HELP, DEVICE_HELP
from affuse.failures import SKIPPED

MAP_HELP = "A label that has another name in the model: angry=anger. May be given again."


def evaluate(
    model: Annotated[str, typer.Argument(help="Model folder, run folder or Hub id.")],
    corpus: Annotated[Path, typer.Argument(help="Folder that 'affuse prepare' wrote.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder for predictions and tables.")] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", help=MAP_HELP),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="YAML",
            help="File of labels of the corpus and what they are to the model, a line each (joy: happiness); null "
            "leaves one out. Spellings that affuse knows need none.",
        ),
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(
            help="Measure this part of the model's training: train, validation, test or all. Default: what it was not "
            "trained on; with --split: test."
        ),
    ] = None,
    split: Annotated[
        Path | None, typer.Option(help="A run's split.csv: measure one role of it, see --role.")
    ] = None,
    modalities: Annotated[
        str | None, typer.Option(help="Give the model only these, such as audio,text; mask the others.")
    ] = None,
    device: Annotated[str, typer.Option(help=DEVICE_HELP)] = "auto",
    cache: Annotated[Path | None, typer.Option(help=CACHE_HELP)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help=OVERWRITE_HELP)] = False,
) -> None:
    """Measure a trained model on a corpus, with intervals over speakers.

    Utterances that the model was trained on are recognised, in a copy of its corpus too, and left out.
    """
    import affuse
    from affuse.cli.console import bars, messages, print_table, report_skipped

    given = None if modalities is None else [name.strip() for name in modalities.split(",") if name.strip()]
    with bars() as progress:
        found = affuse.evaluate(
            model, corpus, out, split=split, role=role, rename=renamed(map_), labels=labels,
            modalities=given, overwrite=overwrite, cache=cache, device=device, progress=progress,
        )  # fmt: skip
    for title, table in found.tables:
        print_table(table, title)
    for sentence in found.sentences:
        messages.print(sentence, soft_wrap=True)
    if out is not None:
        messages.print(f"Tables are in {out}.", soft_wrap=True)
    where = out / SKIPPED if out else f"{SKIPPED} with --out"
    raise typer.Exit(report_skipped(found.skipped_table(), where))


def renamed(map_: list[str] | None) -> dict[str, str]:
    """Old label -> new label, of what --map was given."""
    return dict(map(_pair, map_ or ()))


def _pair(text: str) -> tuple[str, str]:
    from affuse.errors import AffuseError

    old, equals, new = (part.strip() for part in text.partition("="))
    if not old or not equals or not new:
        raise AffuseError(f"--map takes label=label, not {text!r}; for example --map angry=anger.")
    return old, new

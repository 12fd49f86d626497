"""``affuse reproduce``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affuse.cli.compare import JOBS_HELP
from affuse.cli.predict import OVERWRITE_HELP
from affuse.cli.train import CACHE_HELP, DEVICE_HELP, VERBOSE_HELP
from affuse.errors import AffuseError
from affuse.failures import SKIPPED
from affuse.names import counted

SET_HELP = (
    "Change one field of every recipe, such as optimizer.lr=3e-4, or of one recipe: 3m-ser:optimizer.lr=3e-4. May be "
    "given again."
)


def reproduce(
    paper: Annotated[str, typer.Argument(help="multi-loss or dynamic-loss.")],
    corpus: Annotated[Path, typer.Argument(help="Folder that 'affuse prepare' wrote.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for tables, report and runs.")],
    protocol: Annotated[
        str, typer.Option(help="Which of written, coded and honest, with commas between.")
    ] = "written,coded,honest",
    quick: Annotated[
        bool, typer.Option("--quick", help="Small networks, few epochs, seeds and folds.")
    ] = False,
    encoders: Annotated[
        str,
        typer.Option(
            help="paper, or small: networks that need no download, with the paper's seeds and folds."
        ),
    ] = "paper",
    switches: Annotated[
        bool, typer.Option("--switches", help="Instead: the effect of each departure of the authors' code.")
    ] = False,
    seeds: Annotated[str | None, typer.Option(help="With commas between. Default: the protocol's.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help=SET_HELP)] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help=JOBS_HELP)] = None,
    device: Annotated[str, typer.Option(help=DEVICE_HELP)] = "auto",
    cache: Annotated[Path | None, typer.Option(help=CACHE_HELP)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help=OVERWRITE_HELP)] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help=VERBOSE_HELP)] = False,
) -> None:
    """Run a paper's grid and set its published numbers beside those found.

    As the paper is written, as its authors coded it, and honest (speaker-independent, test touched once). Finished runs
    are never run again: after Ctrl-C the same command goes on where it was.
    """
    import affuse
    from affuse.cli.console import bars, messages, print_table

    names = [name.strip() for name in protocol.split(",") if name.strip()]
    with bars(verbose=verbose) as progress:
        found = affuse.reproduce(
            paper, corpus, out, protocols=names, switches=switches, quick=quick, encoders=encoders,
            seeds=_seeds(seeds), set=set_, jobs=jobs, device=device, cache=cache, overwrite=overwrite,
            progress=progress,
        )  # fmt: skip
    print_table(found.table, found.title)
    for text in found.notes:
        messages.print(text, soft_wrap=True)
    for text in found.verdict:
        messages.print(text, soft_wrap=True, style="bold")
    for failure in found.failed:
        messages.print(f"Failed: {failure}", soft_wrap=True)
    if found.skipped:
        count = counted(len(found.skipped), "utterance")
        messages.print(
            f"Skipped {count}; the causes are in {SKIPPED} of each folder of runs.", soft_wrap=True
        )
    messages.print(f"Tables are in {' and '.join(str(out / name) for name in found.files)}.", soft_wrap=True)
    if found.page is not None:
        messages.print(f"The report is {found.page}: open it in a browser.", soft_wrap=True)
    raise typer.Exit(1 if found.failed or found.skipped else 0)


def _seeds(text: str | None) -> list[int] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() for part in parts):
        raise AffuseError(f"--seeds takes different whole numbers, for example --seeds 0,1,2, not {text!r}.")
    return [int(part) for part in parts]

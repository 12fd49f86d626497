"""``affuse demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affuse.cli.predict import OVERWRITE_HELP
from affuse.cli.train import VERBOSE_HELP

if TYPE_CHECKING:
    from affuse.results.grid import Grid


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for corpus, runs and reports.")] = Path("demo"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Two losses, three epochs: shows that all runs, not how well.")
    ] = False,
    video: Annotated[bool, typer.Option(help="Draw the faces too: more than half of the time.")] = True,
    turns: Annotated[int, typer.Option(help="Utterances to generate.")] = 1000,
    seed: Annotated[int, typer.Option(help="Random seed of the corpus.")] = 0,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many dialogs are drawn, and stacks trained, at a time. Default: one per core."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help=OVERWRITE_HELP)] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help=VERBOSE_HELP)] = False,
) -> None:
    """Run both papers' comparisons on a generated corpus: about 3 minutes on 2 free cores.

    A first table, of the rows that train in seconds, comes long before the rest. Nothing is downloaded, and finished
    runs are never run again. For the first paper, text is encoded by a pretrained network (MiniLM, from a package),
    sound by statistics of log-mels and pitch, faces by histograms of oriented gradients. The second paper's network
    learns from raw sound and pictures, so it runs with --video only; its random split puts every speaker in training
    and test, and its report says so.
    """
    from affuse.api.demonstration import demonstrate
    from affuse.cli.compare import print_grid, print_tables
    from affuse.cli.console import bars, messages

    codes: list[int] = []
    with bars(verbose=verbose) as progress:

        def found(grid: Grid, whole: bool) -> None:
            with progress.aside():
                if whole:
                    codes.append(print_grid(grid))
                else:
                    print_tables(grid)

        demonstrate(
            out, turns=turns, seed=seed, video=video, quick=quick, jobs=jobs, overwrite=overwrite,
            progress=progress, found=found,
        )  # fmt: skip
    messages.print(
        f"All of it is in {out}. Its corpus is generated, so no number is about people.", soft_wrap=True
    )
    raise typer.Exit(max(codes))

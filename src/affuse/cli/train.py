"""``affuse train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SET_HELP = "Change one field of the recipe, such as optimizer.lr=3e-4. May be given again."
CACHE_HELP = "Folder of cached features. Default: AFFUSE_CACHE, or your cache folder."
VERBOSE_HELP = "Say which runs train in stacks, and why others do not."
DEVICE_HELP = "auto, cpu or cuda."


def train(
    recipe: Annotated[str, typer.Argument(help="Name ('affuse list recipes') or YAML file.")],
    corpus: Annotated[Path, typer.Argument(help="Folder that 'affuse prepare' wrote.")],
    out: Annotated[Path, typer.Option("--out", help="Run folder to write.")],
    fold: Annotated[int, typer.Option(help="Fold to test; the others train.")] = 0,
    seed: Annotated[int | None, typer.Option(help="Random seed. Default: the recipe's.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help=SET_HELP)] = None,
    device: Annotated[str, typer.Option(help=DEVICE_HELP)] = "auto",
    cache: Annotated[Path | None, typer.Option(help=CACHE_HELP)] = None,
    live: Annotated[bool, typer.Option("--live", help="Write no features to the cache.")] = False,
    self_contained: Annotated[
        bool, typer.Option("--self-contained", help="Copy frozen encoders into the model folder.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help=VERBOSE_HELP)] = False,
) -> None:
    """Train one fold with one seed and test it once.

    The epoch is chosen on validation. If you stop it with Ctrl-C, the same command goes on where it was.
    """
    import affuse
    from affuse.cli.console import bars, messages, print_table, report_skipped
    from affuse.failures import SKIPPED

    with bars(verbose=verbose) as progress:
        run = affuse.train(
            recipe, corpus, out, fold=fold, seed=seed, set=set_, device=device, cache=cache, live=live,
            self_contained=self_contained, progress=progress,
        )  # fmt: skip
    if run.reused:
        messages.print(f"{out} was finished earlier; nothing was run.", soft_wrap=True)
    generated = " (generated corpus)" if run.generated else ""
    print_table(run.summary(), f"Test part of fold {run.fold}{generated}")
    for sentence in run.sentences:
        messages.print(sentence, soft_wrap=True)
    messages.print(f"Run and model are in {out}.", soft_wrap=True)
    raise typer.Exit(report_skipped(run.skipped, out / SKIPPED))

"""``affuse compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affuse.cli.evaluate import MAP_HELP, renamed
from affuse.cli.predict import OVERWRITE_HELP
from affuse.cli.train import CACHE_HELP, DEVICE_HELP, SET_HELP, VERBOSE_HELP
from affuse.errors import AffuseError
from affuse.failures import SKIPPED

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from affuse.results.grid import Grid

JOBS_HELP = "How many stacks or single runs train at a time. Default: one per core."


def compare(
    recipe: Annotated[
        str,
        typer.Argument(help="Name ('affuse list recipes') or YAML file. Leave it out with --over model=..."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for runs, tables and report.")],
    corpus: Annotated[Path | None, typer.Argument(help="Folder that 'affuse prepare' wrote.")] = None,
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over",
            help="Values to compare: loss=cross_entropy,center or seed=0,1,2 or recipe=server,3m-ser or any field, "
            "such as optimizer.lr=1e-4,1e-3. Given again: every combination runs. model=A,B,C compares "
            "trained models on the corpus, and nothing is trained.",
        ),
    ] = None,
    fold: Annotated[
        list[str] | None,
        typer.Option(help="Only these folds, with commas between. Default: all."),
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help=SET_HELP)] = None,
    baseline: Annotated[
        bool,
        typer.Option(
            help="Add a row of logistic (ratings: ridge) regression on statistics of the same features."
        ),
    ] = True,
    subsets: Annotated[
        bool, typer.Option("--subsets", help="Test with some modalities masked too: every subset.")
    ] = False,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", help=f"With --over model=A,B: {MAP_HELP[0].lower()}{MAP_HELP[1:]}"),
    ] = None,
    keep_models: Annotated[bool, typer.Option(help="Keep the model of every run.")] = False,
    jobs: Annotated[int | None, typer.Option(min=1, help=JOBS_HELP)] = None,
    device: Annotated[str, typer.Option(help=DEVICE_HELP)] = "auto",
    cache: Annotated[Path | None, typer.Option(help=CACHE_HELP)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help=OVERWRITE_HELP)] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help=VERBOSE_HELP)] = False,
) -> None:
    """Train every combination of --over on all folds, and say which differences hold.

    Prints a table and a verdict, and writes report.html. Finished runs are never run again: after Ctrl-C the same
    command goes on where it was.
    """
    import affuse
    from affuse.cli.console import bars

    if (models := _models(over)) is not None:
        _compare_models(
            models, recipe, corpus, out, rename=renamed(map_), device=device, cache=cache, overwrite=overwrite
        )
        return
    if map_:
        raise AffuseError(
            "--map goes with --over model=A,B alone; in a training tasks.TASK.merge of the recipe renames labels."
        )
    if corpus is None:
        raise AffuseError(
            f"Name a recipe and a corpus, or compare trained models by: affuse compare {recipe} --over model=A,B --out "
            f"{out}."
        )
    chosen = None if not fold else [one for text in fold for one in text.split(",") if one.strip()]
    with bars(verbose=verbose) as progress:
        grid = affuse.compare(
            recipe, corpus, out, over=over, folds=chosen, set=set_, baseline=baseline, subsets=subsets,  # type: ignore[arg-type]
            keep_models=keep_models, jobs=jobs, device=device, cache=cache, overwrite=overwrite, progress=progress,
        )  # fmt: skip
    raise typer.Exit(print_grid(grid))


def _models(over: list[str] | None) -> list[str] | None:
    """What --over model=A,B names, None where it names something else."""
    axes = [axis.partition("=") for axis in over or ()]
    if not any(name.strip() == "model" for name, _, _ in axes):
        return None
    if len(axes) > 1:
        raise AffuseError(
            "--over model=A,B compares trained models and goes with no other --over; give it alone."
        )
    return [name.strip() for name in axes[0][2].split(",") if name.strip()]


def _compare_models(
    models: list[str],
    first: str,
    second: Path | None,
    out: Path,
    *,
    rename: dict[str, str],
    device: str,
    cache: Path | None,
    overwrite: bool,
) -> None:
    import affuse
    from affuse.cli.console import bars, messages, print_table

    if second is not None:
        raise AffuseError(f"--over model=A,B trains nothing and takes no recipe; leave {first} out.")
    with bars() as progress:
        found = affuse.compare_models(
            models,
            first,
            out,
            rename=rename,
            device=device,
            cache=cache,
            overwrite=overwrite,
            progress=progress,
        )
    for title, table in found.tables:
        print_table(table, title)
    for sentence in found.notes:
        messages.print(sentence, soft_wrap=True)
    messages.print(f"The tables and the report are in {out}.", soft_wrap=True)


def print_tables(grid: Grid) -> None:
    """Print a comparison's tables, and what their numbers are."""
    from affuse.cli.console import messages, print_table

    for title, table in grid.tables:
        if "trainings" in table.columns:  # why is said below, where there is room for it
            table = table.assign(trainings=[text.partition(":")[0] for text in table["trainings"]])
        print_table(*_without_constants(table, title, grid.naming))
    messages.print(grid.note, soft_wrap=True)


def _without_constants(
    table: pd.DataFrame, title: str, naming: Sequence[str]
) -> tuple[pd.DataFrame, str, int]:
    """A table without what all its rows are called, which goes into its title; and how many columns name a row."""
    names = [name for name in table.columns if name in naming]
    same = [name for name in names if len(table) and table[name].eq(table[name].iloc[0]).all()]
    if len(same) == len(names):
        same = same[1:]
    told = f"; all rows: {', '.join(f'{name} {table[name].iloc[0]}' for name in same)}" if same else ""
    return table.drop(columns=same), title + told, len(names) - len(same)


def print_grid(grid: Grid) -> int:
    """Print a comparison's tables and verdict; return the exit code."""
    from affuse.cli.console import messages, report_skipped
    from affuse.training.comparison_folder import PAGE, RESULTS, RESULTS_TEXT

    print_tables(grid)
    for sentence in grid.verdict:
        messages.print(sentence, soft_wrap=True, style="bold")
    for run, cause in grid.failed:
        messages.print(f"{run.relative_to(grid.folder)} failed: {cause}", soft_wrap=True)
    folder = grid.folder
    messages.print(f"Tables are in {folder / RESULTS} and {folder / RESULTS_TEXT}.", soft_wrap=True)
    messages.print(f"The report is {folder / PAGE}: open it in a browser.", soft_wrap=True)
    code = report_skipped(grid.skipped, folder / SKIPPED)
    return 1 if grid.failed else code

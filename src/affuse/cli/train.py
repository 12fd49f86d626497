"""``affuse train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SET_HELP = "Change one field of the recipe, e.g. optimizer.lr=3e-4; may be given again."
CACHE_HELP = "Folder of the feature cache (default: $AFFUSE_CACHE or the user's cache folder)."


def train(
    recipe: Annotated[str, typer.Argument(help="Packaged recipe (see 'affuse list recipes') or YAML file.")],
    corpus: Annotated[Path, typer.Argument(help="Corpus folder that 'affuse prepare' wrote.")],
    out: Annotated[Path, typer.Option("--out", help="Run folder to write.")],
    fold: Annotated[int, typer.Option(help="Fold of the protocol to train and test.")] = 0,
    seed: Annotated[int | None, typer.Option(help="Seed (default: the recipe's).")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help=SET_HELP)] = None,
    cache: Annotated[Path | None, typer.Option(help=CACHE_HELP)] = None,
    live: Annotated[bool, typer.Option("--live", help="Encode in every step instead of caching.")] = False,
    self_contained: Annotated[
        bool, typer.Option("--self-contained", help="Copy frozen encoders into the model folder.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train one fold with one seed; choose the epoch on validation, test once, write a run folder."""
    from affuse.cli.console import bars, choose_device, messages, report_skipped
    from affuse.cli.console import out as output
    from affuse.corpora.corpus import Corpus
    from affuse.recipe import Recipe
    from affuse.training.cache import FeatureCache, default_folder
    from affuse.training.experiment import set_up
    from affuse.training.run import train_fold
    from affuse.training.runfolder import RunFolder

    RunFolder(out).check_writable()  # before the features, which may take an hour
    overrides = list(set_ or []) + ([] if seed is None else [f"seed={seed}"])
    chosen = Recipe.load(recipe, overrides)
    loaded = Corpus.load(corpus)
    store = None if live else FeatureCache(cache or default_folder())
    with bars() as progress:
        experiment = set_up(loaded, chosen, store, progress, choose_device(device), [fold])
        advance = progress.start("epochs", experiment.recipe.training.epochs)
        result = train_fold(
            experiment, experiment.recipe, fold, out, self_contained=self_contained,
            progress=lambda epoch, row: advance(),
        )  # fmt: skip
    generated = " (generated corpus)" if loaded.info.generated else ""
    select = experiment.recipe.training.select
    if select == "validation":
        there = experiment.split.roles(fold).get("validation")
        chosen_by = "was best on validation" if there else "counts: no validation part"
    else:
        chosen_by = "was best on the test part" if select == "test" else "counts: the last"
    messages.print(f"{out}: epoch {result.best_epoch} of {result.epochs} {chosen_by}.", soft_wrap=True)
    if experiment.recipe.on_test:
        messages.print(f"These numbers flatter: {experiment.recipe.on_test}.", soft_wrap=True)
    for task, metrics in result.metrics.items():
        recalls = ", ".join(
            f"{name} {100 * value:.1f}" if value == value else f"{name} -"
            for name, value in metrics["recall"].items()
        )
        output.print(
            f"{task}{generated}: test ACC (WA) {100 * metrics['acc']:.2f}  BACC (UA) {100 * metrics['bacc']:.2f}  "
            f"macro F1 {100 * metrics['macro_f1']:.2f}  n {metrics['n']}  recall: {recalls}"
        )
    raise typer.Exit(report_skipped(experiment.skipped, RunFolder(out).skipped_file, experiment.partial))

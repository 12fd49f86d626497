"""``affuse compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affuse.cli.predict import OVERWRITE_HELP
from affuse.cli.train import CACHE_HELP, SET_HELP

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus
    from affuse.training.compare import Comparison


def compare(
    recipe: Annotated[str, typer.Argument(help="Packaged recipe (see 'affuse list recipes') or YAML file.")],
    corpus: Annotated[Path, typer.Argument(help="Corpus folder that 'affuse prepare' wrote.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the comparison: runs, results.csv, tables.")],
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over",
            help="An axis and its values: loss=cross_entropy,center; seed=0,1,2; recipe=server,3m-ser; "
            "fold=0,1; or any field such as optimizer.lr=1e-4,1e-3. May be given again: all combinations run.",
        ),
    ] = None,
    fold: Annotated[
        list[str] | None,
        typer.Option(
            help="Only these folds, comma-separated or given again (default: all); as --over fold=0,1."
        ),
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help=SET_HELP)] = None,
    cache: Annotated[Path | None, typer.Option(help=CACHE_HELP)] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes (default: one per core).")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    keep_models: Annotated[bool, typer.Option(help="Keep every cell's model folder.")] = False,
    subsets: Annotated[
        bool,
        typer.Option("--subsets", help="Test every subset of the recipe's modalities too, the rest masked."),
    ] = False,
    baseline: Annotated[
        bool,
        typer.Option(
            help="Add a row of logistic regression on statistics of the same features; it takes seconds."
        ),
    ] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help=OVERWRITE_HELP)] = False,
) -> None:
    """Train every combination of --over on all folds; print the papers' table, write report.html.

    A finished cell is never run again: after Ctrl-C the same command goes on where it was.
    """
    from affuse.cli.console import bars, choose_device
    from affuse.corpora.corpus import Corpus
    from affuse.errors import AffuseError
    from affuse.training.baseline import add_baseline
    from affuse.training.cache import FeatureCache, default_folder
    from affuse.training.compare import compare as run
    from affuse.training.compare import make_variants, parse_axes
    from affuse.training.comparison_folder import comparison_outputs

    axes = parse_axes([*(over or []), *([f"fold={','.join(fold)}"] if fold else [])])
    try:
        folds = [int(fold) for fold in axes.pop("fold")] if "fold" in axes else None
    except ValueError:
        raise AffuseError("--fold and --over fold=... take whole numbers, for example --fold 0,1.") from None
    variants = make_variants(recipe, axes, set_ or [])
    loaded = Corpus.load(corpus)
    store = FeatureCache(cache or default_folder())
    with comparison_outputs(out, overwrite).writing():
        with bars() as progress:
            comparison = run(
                variants, loaded, out, store, progress,
                folds=folds, jobs=jobs, device=choose_device(device), keep_models=keep_models, subsets=subsets,
            )  # fmt: skip
            if baseline:
                add_baseline(comparison, out, progress)
        code = _show(comparison, loaded, out)
    raise typer.Exit(code)


def show_comparison(comparison: Comparison, corpus: Corpus, out: Path) -> int:
    """Write results.csv, results.md, subsets.csv (where subsets were tested), comparison.json and report.html; print
    the tables and the verdict; return the exit code."""
    from affuse.training.comparison_folder import comparison_outputs

    with comparison_outputs(out).writing():
        return _show(comparison, corpus, out)


def _show(comparison: Comparison, corpus: Corpus, out: Path) -> int:
    from affuse.cli.console import command_line, messages, print_table, report_skipped
    from affuse.failures import SKIPPED
    from affuse.files import write_csv, write_text
    from affuse.reports.pages.comparison import write_comparison_page
    from affuse.reports.record import write_record
    from affuse.reports.report import Report
    from affuse.reports.sections.verdict import verdict_sentences
    from affuse.reports.tables.joint_losses import joint_loss_table, joint_losses
    from affuse.reports.tables.results import collect_results, markdown_table, paper_table, tested_speakers
    from affuse.reports.tables.subsets import collect_subsets, subset_table
    from affuse.training.comparison_folder import JOINT_LOSSES, RESULTS, RESULTS_TEXT, SUBSETS

    results = collect_results(comparison)
    write_csv(out / RESULTS, results)
    write_record(comparison, out, command_line())
    report = Report.read(out)
    pages = []
    for task in dict.fromkeys(results["task"]) if len(results) else ():
        table = report.with_trainings(paper_table(results, task, ("acc", "bacc", "weighted_f1")), task)
        first = results[results["task"] == task].iloc[0]
        title = (
            f"{corpus.info.title}, {task}: {first['protocol']} by "
            f"{', '.join(comparison.experiments[0].recipe.protocol.by) or 'utterance'}, {first['folds']} folds, "
            f"seeds: {first['seeds']}, {first['n']} test utterances"
            + (f"; {first['stamp']}" if first["stamp"] else "")
        )
        print_table(table, title)
        pages.append(f"{title}\n\n{markdown_table(table)}")
    note = (
        "Percent: mean over seeds ± standard deviation over seeds [95 % interval over speakers]; "
        "utterances of all folds together."
    )
    for told in tested_speakers(comparison):
        note += f" {told}"
    if len(results) and results["ceiling"].notna().any():
        note += " Ceiling: the best possible ACC from the same modalities, known because this corpus is generated."
    messages.print(note)
    pages.append(note)
    tested = collect_subsets(comparison)
    for task in dict.fromkeys(tested["task"]) if len(tested) else ():
        table = subset_table(tested, task)
        title = f"{corpus.info.title}, {task}: each model with only these modalities, the others masked"
        print_table(table, title)
        pages.append(f"{title}\n\n{markdown_table(table)}")
    if len(tested):
        write_csv(out / SUBSETS, tested)
    else:
        (out / SUBSETS).unlink(missing_ok=True)  # of other rows
    if any(len(cell.variant.recipe.tasks) > 1 for cell in comparison.cells):
        losses = joint_losses(comparison)
        write_csv(out / JOINT_LOSSES, losses)
        if len(losses):
            table = joint_loss_table(losses)
            title = (
                "Joint training: unweighted NLL in nats over the utterances of all folds, weights at the end"
            )
            print_table(table, title)
            pages.append(f"{title}\n\n{markdown_table(table)}")
    sentences = verdict_sentences(report)
    write_text(out / RESULTS_TEXT, "\n\n".join([*pages, *sentences]) + "\n")
    page = write_comparison_page(out, report)
    for text in sentences:
        messages.print(text, markup=False, soft_wrap=True, style="bold")
    for cell, cause in comparison.failed:
        messages.print(f"{cell.folder.relative_to(out)} failed: {cause}", markup=False, soft_wrap=True)
    messages.print(f"Tables are in {out / RESULTS} and {out / RESULTS_TEXT}.", soft_wrap=True)
    messages.print(f"The report is {page}: open it in a browser.", soft_wrap=True)
    skipped = [skip for experiment in comparison.experiments for skip in experiment.skipped]
    partial = [clip for experiment in comparison.experiments for clip in experiment.partial]
    code = report_skipped(skipped, out / SKIPPED, partial)
    return 1 if comparison.failed else code

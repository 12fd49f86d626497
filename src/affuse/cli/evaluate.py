"""``affuse evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affuse.cli.predict import OVERWRITE_HELP
from affuse.cli.train import CACHE_HELP

TABLES = ("predictions.csv", "metrics.csv", "recalls.csv", "groups.csv", "calibration.csv", "skipped.csv")


def evaluate(
    model: Annotated[Path, typer.Argument(help="Model folder (or the run folder that holds it).")],
    corpus: Annotated[Path, typer.Argument(help="Corpus folder that 'affuse prepare' wrote.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for predictions.csv and metrics.csv.")
    ] = None,
    split: Annotated[
        Path | None, typer.Option(help="A run's split.csv: measure only the utterances of one role in it.")
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(
            help="Measure the utterances of this part of the model's training: train, validation, test, or all of them "
            "(default: those that it was not trained on; with --split: test)."
        ),
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            help="A label of the corpus that the model calls otherwise: angry=anger. Again for others.",
        ),
    ] = None,
    modalities: Annotated[
        str | None,
        typer.Option(help="Give the model only these, e.g. audio,text; the rest is masked as missing."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help=OVERWRITE_HELP)] = False,
    cache: Annotated[Path | None, typer.Option(help=CACHE_HELP)] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """A trained model on a corpus: ACC, BACC, F1, intervals over speakers, recall, and the gap by gender.

    Utterances that the model was trained on are recognised, in a copy of its corpus too, and left out.
    """
    from contextlib import nullcontext

    from affuse.cli.console import bars, choose_device, messages, print_table, report_skipped
    from affuse.corpora.corpus import Corpus
    from affuse.files import write_csv
    from affuse.files.outputs import Outputs
    from affuse.models.finding import files_of
    from affuse.models.loading import load_model
    from affuse.training.cache import FeatureCache, default_folder
    from affuse.training.evaluate import evaluate_model
    from affuse.training.experiment import skipped_table
    from affuse.training.label_fit import rename_labels

    renamed = dict(_pair(text) for text in map_ or ())
    given = None if modalities is None else [name.strip() for name in modalities.split(",") if name.strip()]
    outputs = None if out is None else Outputs(out, "evaluate", overwrite=overwrite, deep=False)
    if outputs is not None:  # before the features, which may take an hour
        read = [*files_of(model), *([] if split is None else [split])]
        outputs.check([outputs.folder / name for name in TABLES], read)
    loaded = rename_labels(Corpus.load(corpus), renamed)
    if outputs is not None:
        outputs.make_folder()
    with outputs.writing() if outputs is not None else nullcontext(), bars() as progress:
        found = evaluate_model(
            load_model(model), loaded, FeatureCache(cache or default_folder()), progress,
            choose_device(device), split=split, role=role, modalities=given, run=model,
        )  # fmt: skip
    only = "" if given is None else f" from {', '.join(given)} alone"
    name = f"{loaded.info.title}{only}{', training utterances included' if found.trained else ''}"
    print_table(found.metrics.round(4), f"{name}: metrics")
    for note in found.notes:
        messages.print(note, markup=False, soft_wrap=True)
    print_table(found.recalls.round(4), "Recall per class (rows: true class; columns: called)")
    print_table(found.calibration.round(4), "Calibration: expected calibration error (ECE), NLL in nats")
    if len(found.groups):
        print_table(
            found.groups.round(4), "By the corpus's annotation of gender, by dialog type, and the gaps"
        )
    if out is not None and outputs is not None:
        with outputs.writing():
            write_csv(out / "predictions.csv", found.predictions)
            write_csv(out / "metrics.csv", found.metrics)
            write_csv(out / "recalls.csv", found.recalls)
            if len(found.groups):
                write_csv(out / "groups.csv", found.groups)
            write_csv(out / "calibration.csv", found.calibration)
            write_csv(out / "skipped.csv", skipped_table(found.skipped, found.partial))
        messages.print(f"Tables are in {out}.")
    where = out / "skipped.csv" if out else "skipped.csv with --out"
    raise typer.Exit(report_skipped(found.skipped, where, found.partial))


def _pair(text: str) -> tuple[str, str]:
    from affuse.errors import AffuseError

    old, equals, new = (part.strip() for part in text.partition("="))
    if not old or not equals or not new:
        raise AffuseError(f"--map takes label=label, not {text!r}; for example --map angry=anger.")
    return old, new

"""``affuse prepare``: one sub-command per corpus."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus

app = typer.Typer(help="Read a release, or a table of your own, into a corpus folder.", no_args_is_help=True)

Source = Annotated[Path, typer.Argument(help="Where the release lies.")]
Out = Annotated[Path, typer.Argument(help="Corpus folder to write.")]
Emotions = Annotated[str | None, typer.Option(help="Keep only these, comma-separated (default: all).")]


@app.command()
def emodb(source: Source, out: Out, emotions: Emotions = None) -> None:
    """EmoDB: its files at any folder depth (wav or flac), or the CSV beside them."""
    from affuse.corpora.readers.emodb import prepare

    _tell(prepare(source, out, _names(emotions)))


@app.command()
def ravdess(
    source: Source,
    out: Out,
    vocal: Annotated[str, typer.Option(help="speech, song or both.")] = "speech",
    emotions: Emotions = None,
) -> None:
    """RAVDESS: its files at any folder depth (wav, flac, mp4), or the CSV beside them."""
    from affuse.corpora.readers.ravdess import prepare

    _tell(prepare(source, out, vocal, _names(emotions)))  # type: ignore[arg-type]


@app.command()
def meld(source: Source, out: Out) -> None:
    """MELD: its CSV files, and its mp4 clips where they lie beside them."""
    from affuse.corpora.readers.meld import prepare

    _tell(prepare(source, out))


@app.command()
def csv(
    source: Annotated[Path, typer.Argument(help="Table of your own: .csv, .tsv or .parquet.")],
    out: Out,
    options: Annotated[
        Path | None,
        typer.Option(help="YAML file: columns (renames), labels (maps), label_spaces, media_root, name, ..."),
    ] = None,
) -> None:
    """A table of your own with any subset of the corpus columns."""
    from affuse.corpora.readers.table import prepare

    _tell(prepare(source, out, options))


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _tell(corpus: Corpus) -> None:
    from affuse.cli.console import messages, out

    table = corpus.table
    generated = " (generated)" if corpus.info.generated else ""
    out.print(f"{corpus.folder}: {corpus.info.name}{generated}, {len(table)} utterances", soft_wrap=True)
    for task, space in corpus.info.label_spaces.items():
        counts = table[task].value_counts()
        parts = [f"{label} {counts.get(label, 0)}" for label in space]
        blank = int(table[task].isna().sum())
        out.print(f"  {task}: {', '.join(parts)}" + (f", blank {blank}" if blank else ""), soft_wrap=True)
    out.print(f"  speakers: {table['speaker'].nunique()}")
    for note in corpus.info.notes:
        messages.print(f"  note: {note}", soft_wrap=True)

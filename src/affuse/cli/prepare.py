"""``affuse prepare``: one sub-command per corpus."""

from __future__ import annotations

import os
import shlex
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affuse.cli.verbs import Verbs
from affuse.errors import AffuseError

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus

app = Verbs(help="Read a release, or a table of your own, into a corpus folder.", no_args_is_help=True)

Source = Annotated[Path, typer.Argument(help="Where the release lies.")]
Out = Annotated[Path, typer.Argument(help="Corpus folder to write.")]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Replace a corpus that was edited since, or files that affuse did not write."
    ),
]
Emotions = Annotated[str | None, typer.Option(help="Keep only these, comma-separated (default: all).")]


@app.command()
def emodb(source: Source, out: Out, emotions: Emotions = None, overwrite: Overwrite = False) -> None:
    """EmoDB: its files at any folder depth (wav or flac), or the CSV beside them."""
    from affuse.corpora.readers.emodb import prepare

    with _writing(out, overwrite):
        _tell(prepare(source, out, _names(emotions)))


@app.command()
def ravdess(
    source: Source,
    out: Out,
    vocal: Annotated[str, typer.Option(help="speech, song or both.")] = "speech",
    emotions: Emotions = None,
    overwrite: Overwrite = False,
) -> None:
    """RAVDESS: its files at any folder depth (wav, flac, mp4), or the CSV beside them."""
    from affuse.corpora.readers.ravdess import prepare

    with _writing(out, overwrite):
        _tell(prepare(source, out, vocal, _names(emotions)))  # type: ignore[arg-type]


@app.command()
def meld(source: Source, out: Out, overwrite: Overwrite = False) -> None:
    """MELD: its CSV files, and its mp4 clips where they lie beside them."""
    from affuse.corpora.readers.meld import prepare

    with _writing(out, overwrite):
        _tell(prepare(source, out))


@app.command()
def iemocap(
    source: Annotated[
        Path, typer.Argument(help="The release's root: the folder that holds Session1 to Session5.")
    ],
    out: Out,
    classes: Annotated[
        str,
        typer.Option(help="4+exc (excited merged into happiness), 4 (without excited) or 6."),
    ] = "4+exc",
    scenario: Annotated[str, typer.Option(help="both, improvised or scripted.")] = "both",
    ties: Annotated[
        str,
        typer.Option(help="Turns without a consensus among the classes: drop, majority or self_report."),
    ] = "drop",
    seed: Annotated[int, typer.Option(help="Of the draws among tied classes (--ties majority).")] = 0,
    keep_unlabelled: Annotated[
        bool,
        typer.Option(help="Keep turns without an emotion: they have speaker, gender, words and ratings."),
    ] = True,
    overwrite: Overwrite = False,
) -> None:
    """IEMOCAP as it is on disk, or anything in its shape; counts are checked against the published ones."""
    from affuse.cli.console import bars
    from affuse.corpora.readers.iemocap import prepare

    with _writing(out, overwrite), bars() as progress:
        corpus = prepare(
            source, out, classes=classes, scenario=scenario, ties=ties, seed=seed,  # type: ignore[arg-type]
            keep_unlabelled=keep_unlabelled, progress=progress.count("dialogs"),
        )  # fmt: skip
    print_self_check(corpus)
    _tell(corpus)


@app.command()
def generated(
    out: Annotated[Path, typer.Argument(help="Release folder to write, in the exact layout of IEMOCAP's.")],
    sessions: Annotated[int, typer.Option(help="Sessions of two actors each.")] = 5,
    dialogs: Annotated[int, typer.Option(help="Dialogs per session.")] = 8,
    turns: Annotated[int, typer.Option(help="Turns in all.")] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    video: Annotated[
        bool, typer.Option(help="Draw the faces (most of the time and room), or voices and words only.")
    ] = True,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes (default: one per core).")] = None,
) -> None:
    """A release made by a program, with IEMOCAP's layout and known ceilings: for demo and tests."""
    from affuse.cli.console import messages
    from affuse.cli.console import out as output
    from affuse.corpora.generated.release import settings_of

    wanted = {"sessions": sessions, "dialogs": dialogs, "turns": turns, "seed": seed, "video": video}
    found = settings_of(out)
    if found not in ({}, wanted):  # a corpus may have been prepared from it
        settings = ", ".join(f"{name} {value}" for name, value in found.items() if value != wanted[name])
        raise AffuseError(f"{out} is a generated release of other settings ({settings}); name a new folder.")
    root = generate(out, sessions=sessions, dialogs=dialogs, turns=turns, seed=seed, video=video, jobs=jobs)
    output.print(f"{root}: generated release, {turns} turns, seed {seed}", markup=False, soft_wrap=True)
    messages.print(
        f"Next: affuse prepare iemocap {shlex.quote(str(root))} CORPUS_DIR", markup=False, soft_wrap=True
    )


def generate(
    out: Path, *, sessions: int, dialogs: int, turns: int, seed: int, video: bool, jobs: int | None
) -> Path:
    """``generate_release`` with a progress bar and one process per core."""
    from affuse.cli.console import bars
    from affuse.corpora.generated import generate_release

    with bars() as progress:
        return generate_release(
            out, sessions=sessions, dialogs=dialogs, turns=turns, seed=seed, video=video,
            jobs=jobs or os.cpu_count() or 1, progress=progress.count("generated dialogs"),
        )  # fmt: skip


def print_self_check(corpus: Corpus) -> None:
    """The counts of the release against the published ones: totals, and whatever differs."""
    from affuse.cli.console import messages, print_table
    from affuse.corpora.readers.iemocap.prepare import COUNTS
    from affuse.files import read_csv

    assert corpus.folder is not None
    counts = read_csv(corpus.folder / COUNTS, ("found", "published", "difference"))
    totals = (counts["scenario"] == "all") & (counts["gender"] == "all") & (
        (counts["session"] == "all") | (counts["label"] == "all")
    )  # fmt: skip
    totals |= (counts["session"] == "all") & (counts["label"] == "all")
    shown = counts[totals | (counts["difference"].fillna(0) != 0)]
    if corpus.info.generated:
        shown = shown.drop(columns=["published", "difference"])
        title = "Turns of the release by consensus (generated: not compared with IEMOCAP's)"
    else:
        title = "Turns of the release by consensus, found and published"
    print_table(shown, title)
    if len(shown) < len(counts):
        messages.print(
            f"{len(counts) - len(shown)} finer counts are in {corpus.folder / COUNTS}.",
            markup=False, soft_wrap=True,
        )  # fmt: skip


@app.command()
def csv(
    source: Annotated[Path, typer.Argument(help="Table of your own: .csv, .tsv or .parquet.")],
    out: Out,
    options: Annotated[
        Path | None,
        typer.Option(help="YAML file: columns (renames), labels (maps), label_spaces, media_root, name, ..."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """A table of your own with any subset of the corpus columns."""
    from affuse.corpora.readers.table import prepare

    with _writing(out, overwrite):
        _tell(prepare(source, out, options=options))


@app.command("trim")
def trim_(
    source: Annotated[Path, typer.Argument(help="Corpus folder that another 'affuse prepare' wrote.")],
    out: Out,
    overwrite: Overwrite = False,
) -> None:
    """A corpus whose clips begin and end with speech: training then hears what 'affuse predict' hears."""
    from affuse.cli.console import bars
    from affuse.corpora.corpus import Corpus
    from affuse.corpora.corpus_files import INFO, TABLE, corpus_outputs
    from affuse.corpora.trim import trim

    loaded = Corpus.load(source)
    corpus_outputs(
        out, [source / TABLE, source / INFO], overwrite=overwrite
    )  # before the clips, which take a while
    with _writing(out, overwrite):
        with bars() as progress:
            corpus = trim(loaded, progress.count("clips"))
        _tell(corpus.save(out))


def _writing(out: Path, overwrite: bool) -> AbstractContextManager[object]:
    from affuse.corpora.corpus_files import BY
    from affuse.files.outputs import Outputs

    return Outputs(out, BY, overwrite=overwrite).writing()


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _tell(corpus: Corpus) -> None:
    from affuse.cli.console import messages, out
    from affuse.files.names import shown

    table = corpus.table
    out.print(shown(f"{corpus.folder}: {corpus.info.title}, {len(table)} utterances"), soft_wrap=True)
    for task, space in corpus.info.label_spaces.items():
        counts = table[task].value_counts()
        parts = [f"{label} {counts.get(label, 0)}" for label in space]
        blank = int(table[task].isna().sum())
        out.print(f"  {task}: {', '.join(parts)}" + (f", blank {blank}" if blank else ""), soft_wrap=True)
    out.print(f"  speakers: {table['speaker'].nunique()}")
    for note in corpus.info.notes:
        messages.print(f"  note: {shown(note)}", soft_wrap=True, markup=False)

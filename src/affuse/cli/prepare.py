"""``affuse prepare``: a sub-command for every reader in the registry, made from the reader's own options."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.main import get_command

from affuse.cli.verbs import VerbGroup, Verbs

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus

# The first sentences of our own readers, so that the list of them imports none.
ABOUT = {
    "csv": "Your own table: .csv (comma, semicolon or tab), .tsv or .parquet, with any columns of a corpus.",
    "iemocap": "IEMOCAP as it is on disk, or anything in its shape; counts are checked against the published ones.",
    "emodb": "EmoDB: its files at any folder depth (wav or flac), or the CSV beside them.",
    "ravdess": "RAVDESS: its files at any folder depth (wav, flac, mp4), or the CSV beside them.",
    "cremad": "CREMA-D: its files at any folder depth (wav, mp3, flv), with the votes of its raters.",
    "meld": "MELD: its CSV files, and its mp4 clips where they lie beside them, at any folder depth.",
    "goemotions": "GoEmotions: its TSV files and the names of its labels, at any folder depth.",
    "generated": "A corpus made by a program, in IEMOCAP's layout and with known ceilings: for the demo and for tests.",
}


class Readers(VerbGroup):
    """The readers by name, ours and those of installed packages; each is imported when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List our own readers, those of others, and what works on a corpus folder."""
        from affuse.parts import registry

        names = registry.names("corpora")
        return [*ABOUT, *(name for name in names if name not in ABOUT), *self.commands]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Make the command of a reader.

        Raises:
            AffuseError: There is no such reader; the sentence has the nearest name.
        """
        return self.commands.get(cmd_name) or _command(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the readers without importing them."""
        rows = [(name, self._about(name)) for name in self.list_commands(ctx)]
        with formatter.section("Corpora"):
            formatter.write_dl([row for row in rows if row[0] not in self.commands])
        with formatter.section("Corpus folders"):
            formatter.write_dl([row for row in rows if row[0] in self.commands])

    def _about(self, name: str) -> str:
        if name in self.commands:
            return super()._about(name)
        from affuse.parts import registry

        return ABOUT.get(name) or f"Of {registry.origin('corpora', name)}."


app = Verbs(
    cls=Readers,
    help="Read a release, or a table of your own, into a corpus folder.\n\n"
    "'affuse prepare NAME --help' has the options of each.",
)


def _command(name: str) -> Any:
    from affuse.cli.reader_options import command_of
    from affuse.parts import registry

    reader = registry.get("corpora", name)
    about, _, _ = inspect.cleandoc(reader.__doc__ or "").partition("\n\nArgs:")

    def call(source: Path | None, out: Path, options: dict[str, Any], overwrite: bool) -> None:
        _prepare(name, source, out, options, overwrite)

    alone = Verbs()
    takes_source = "source" in inspect.signature(reader).parameters
    fields = registry.options("corpora", name).model_fields
    alone.command(name)(command_of(fields, about.replace("``", ""), takes_source, call))
    return get_command(alone)


def _prepare(name: str, source: Path | None, out: Path, options: dict[str, Any], overwrite: bool) -> None:
    import affuse
    from affuse.cli.console import bars
    from affuse.cli.raters import print_raters

    with bars() as progress:
        corpus = affuse.prepare(name, source, out, overwrite=overwrite, progress=progress, **options)
    _print_counts(corpus)
    _print_corpus(corpus)
    print_raters(corpus)


@app.command("trim", short_help="Cut the clips of a corpus to their speech, as 'affuse predict' does.")
def trim_(
    source: Annotated[Path, typer.Argument(help="Corpus folder that another 'affuse prepare' wrote.")],
    out: Annotated[Path, typer.Argument(help="Corpus folder to write.")],
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace a corpus that was edited since, or files that affuse did not write."
        ),
    ] = False,
) -> None:
    """Write a corpus whose clips begin and end with speech: training then hears what 'affuse predict' hears."""
    from affuse.cli.console import bars
    from affuse.corpora.corpus import Corpus
    from affuse.corpora.corpus_files import BY, INFO, TABLE, corpus_outputs
    from affuse.corpora.trim import trim
    from affuse.files.outputs import Outputs

    loaded = Corpus.load(source)
    # before the clips, which take a while
    corpus_outputs(out, [source / TABLE, source / INFO], overwrite=overwrite)
    with Outputs(out, BY, overwrite=overwrite).writing():
        with bars() as progress:
            corpus = trim(loaded, progress.count("clips"))
        _print_corpus(corpus.save(out))


def _print_counts(corpus: Corpus) -> None:
    """The counts of the release against the published ones, where its reader made them: totals, and what differs."""
    from affuse.cli.console import messages, print_table
    from affuse.corpora.corpus_files import COUNTS
    from affuse.files import read_csv

    assert corpus.folder is not None
    if not (corpus.folder / COUNTS).is_file():
        return
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


def _print_corpus(corpus: Corpus) -> None:
    from affuse.cli.console import messages, out
    from affuse.corpora.overview import label_counts
    from affuse.files.names import shown
    from affuse.names import counted

    table = corpus.table
    out.print(
        shown(f"{corpus.folder}: {corpus.info.title}, {counted(len(table), 'utterance')}"), soft_wrap=True
    )
    for task, numbers in label_counts(table, corpus.info).items():
        parts = [f"{label or 'blank'} {number}" for label, number in numbers.items()]
        out.print(f"  {task}: {', '.join(parts)}", soft_wrap=True)
    speakers = table["speaker"].nunique()
    out.print(
        f"  speakers: {speakers or 'not named, so a model cannot be tested on new ones'}", soft_wrap=True
    )
    for note in corpus.info.notes:
        messages.print(f"  note: {shown(note)}", soft_wrap=True, markup=False)

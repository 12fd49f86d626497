"""``affuse reproduce``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affuse.cli.predict import OVERWRITE_HELP
from affuse.cli.train import CACHE_HELP
from affuse.errors import AffuseError

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus
    from affuse.reproduction.grid import Form
    from affuse.training.cache import FeatureCache

SET_HELP = (
    "Change one field of every cell's recipe, after everything else; RECIPE:key=value for the cells of one recipe, "
    "e.g. 3m-ser:lr=3e-4. May be given again."
)


def reproduce(
    paper: Annotated[str, typer.Argument(help="multi-loss or dynamic-loss.")],
    corpus: Annotated[Path, typer.Argument(help="Corpus folder that 'affuse prepare' wrote.")],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the table, the report and a folder per protocol.")
    ],
    protocol: Annotated[
        str, typer.Option(help="Which of written, coded and honest, comma-separated.")
    ] = "written,coded,honest",
    quick: Annotated[
        bool, typer.Option("--quick", help="Small networks, few epochs, seeds and folds; says which.")
    ] = False,
    encoders: Annotated[
        str,
        typer.Option(
            help="paper: the paper's networks; small: small offline ones, with the paper's budget of seeds and folds."
        ),
    ] = "paper",
    switches: Annotated[
        bool,
        typer.Option(
            "--switches", help="Instead: every departure of the authors' code alone, and its effect."
        ),
    ] = False,
    seeds: Annotated[str | None, typer.Option(help="Comma-separated (default: the protocol's).")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help=SET_HELP)] = None,
    cache: Annotated[Path | None, typer.Option(help=CACHE_HELP)] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes (default: one per core).")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help=OVERWRITE_HELP)] = False,
) -> None:
    """A paper's grid as written, as coded and honest, beside its published numbers; one table, one report.

    A finished cell is never run again: after Ctrl-C the same command goes on where it was.
    """
    from affuse.cli.console import choose_device
    from affuse.corpora.corpus import Corpus
    from affuse.reproduction.grid import Form
    from affuse.reproduction.report.record import reproduction_outputs
    from affuse.training.cache import FeatureCache, default_folder

    if encoders not in ("paper", "small"):
        raise AffuseError(f"--encoders takes paper or small, not {encoders!r}.")
    form = Form(encoders == "small", quick, _seeds(seeds), tuple(set_ or ()))
    run = _switches if switches else _protocols
    names, loaded, store = _names(protocol), Corpus.load(corpus), FeatureCache(cache or default_folder())
    with reproduction_outputs(out, overwrite).writing():
        code = run(paper, names, loaded, out, form, store, jobs, choose_device(device))
    raise typer.Exit(code)


def _protocols(
    name: str, protocols: list[str], corpus: Corpus, out: Path, form: Form, cache: FeatureCache,
    jobs: int | None, device: str,
) -> int:  # fmt: skip
    from affuse.cli.console import bars, command_line, messages, print_table
    from affuse.failures import SKIPPED
    from affuse.reproduction.definition import PROTOCOLS, read_definition, read_paper
    from affuse.reproduction.grid import make_grid
    from affuse.reproduction.report.page import verdict_sentences, write_reproduction_page
    from affuse.reproduction.report.record import read_record, write_record
    from affuse.reproduction.report.table import LEGEND, numbers_table
    from affuse.reproduction.report.values import ProtocolRun
    from affuse.reproduction.running import check_grid, form_notes, run_grid
    from affuse.reproduction.utterances import utterances_in_words

    paper = read_paper(name)
    # every grid is made before any is run: a mistake in the last is told before hours of the first
    grids = {}
    for protocol in protocols:
        definition = read_definition(name, protocol)
        grids[protocol] = definition, make_grid(paper, protocol, definition, corpus, form)
        check_grid(grids[protocol][1], paper, definition, corpus)
    runs = []
    with bars() as progress:
        for protocol, (definition, grid) in grids.items():
            seeds = len({variant.recipe.seed for variant in grid.variants})
            rows = len(grid.variants) // seeds
            progress.say(
                f"{PROTOCOLS[protocol]}: {rows} rows, {seeds} seed{'s' if seeds > 1 else ''} each. "
                f"{' '.join(definition.description.split())} {utterances_in_words(paper, definition)}"
            )
            for note in (*grid.notes, *grid.other_utterances):
                progress.say(note)
            done = run_grid(grid, corpus, out / protocol, cache, progress, jobs, device, command_line())
            runs.append(ProtocolRun(protocol, definition, grid, *done))
    write_record(out, paper, runs, form_notes(paper, form), command_line())
    record, frame, claims = read_record(out)
    found = numbers_table(frame)
    print_table(found.to_frame(), record["title"])
    for text in (LEGEND, *found.notes, *record["notes"], *record["caveats"]):
        messages.print(text, markup=False, soft_wrap=True)
    for text in verdict_sentences(record, frame, claims):
        messages.print(text, markup=False, soft_wrap=True, style="bold")
    failed = [failure for about in record["protocols"] for failure in about["failed"]]
    for failure in failed:
        messages.print(f"Failed: {failure}", markup=False, soft_wrap=True)
    skipped = [
        skip for run in runs for experiment in run.comparison.experiments for skip in experiment.skipped
    ]
    if skipped:
        count = len({skip.id for skip in skipped})
        messages.print(f"{count} utterances were skipped; see {SKIPPED} in each protocol's folder.")
    page = write_reproduction_page(out)
    messages.print(f"Tables are in {out / 'reproduction.csv'} and {out / 'claims.csv'}.", soft_wrap=True)
    messages.print(f"The report is {page}: open it in a browser.", soft_wrap=True)
    return 1 if failed or skipped else 0


def _switches(
    name: str, protocols: list[str], corpus: Corpus, out: Path, form: Form, cache: FeatureCache,
    jobs: int | None, device: str,
) -> int:  # fmt: skip
    from affuse.cli.console import bars, messages, print_table
    from affuse.reports.tables.results import markdown_table
    from affuse.reproduction.definition import PROTOCOLS, read_paper
    from affuse.reproduction.running import form_notes
    from affuse.reproduction.switches import effects_table, run_switches

    if set(protocols) not in (set(PROTOCOLS), {"honest"}):
        raise AffuseError(
            "--switches turns one departure on at a time in the honest protocol; leave out --protocol."
        )
    paper = read_paper(name)
    with bars() as progress:
        effects, notes, failed = run_switches(name, paper, corpus, out, form, cache, progress, jobs, device)
    table = effects_table(effects)
    print_table(table, f"One switch at a time, on {corpus.info.title}")
    notes = [*form_notes(paper, form, switches=True), *notes]
    for note in notes:
        messages.print(note, markup=False, soft_wrap=True)
    from affuse.files import write_csv, write_text

    write_csv(out / "switches.csv", effects)
    write_text(out / "switches.md", "\n\n".join([markdown_table(table), *notes]) + "\n")
    for cell, cause in failed:
        messages.print(f"{cell.folder.relative_to(out)} failed: {cause}", markup=False, soft_wrap=True)
    messages.print(f"Tables are in {out / 'switches.csv'} and {out / 'switches.md'}.", soft_wrap=True)
    return 1 if failed else 0


def _names(text: str) -> list[str]:
    from affuse.registry import unknown
    from affuse.reproduction.definition import PROTOCOLS

    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise AffuseError("--protocol names none; give some of written, coded and honest.")
    for name in names:
        if name not in PROTOCOLS:
            raise AffuseError(f"--protocol: {unknown(name, list(PROTOCOLS), 'protocols')}.")
    return [name for name in PROTOCOLS if name in names]


def _seeds(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise AffuseError(f"--seeds takes different whole numbers, for example --seeds 0,1,2, not {text!r}.")
    return tuple(map(int, parts))

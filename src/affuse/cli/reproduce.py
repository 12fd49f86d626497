"""``affuse reproduce``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affuse.cli.predict import OVERWRITE_HELP
from affuse.cli.train import CACHE_HELP
from affuse.errors import AffuseError
from affuse.names import counted

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
    from affuse.cli.console import bars, choose_device, command_line, messages, print_table
    from affuse.corpora.corpus import Corpus
    from affuse.failures import SKIPPED
    from affuse.reproduction.definition import PROTOCOLS
    from affuse.reproduction.form import Form
    from affuse.reproduction.protocols import run_protocols
    from affuse.reproduction.switches import run_switches
    from affuse.training.cache import FeatureCache, default_folder
    from affuse.training.comparison_folder import PAGE

    if encoders not in ("paper", "small"):
        raise AffuseError(f"--encoders takes paper or small, not {encoders!r}.")
    form = Form(encoders == "small", quick, _seeds(seeds), tuple(set_ or ()))
    names, loaded, store = _names(protocol), Corpus.load(corpus), FeatureCache(cache or default_folder())
    if switches:
        if set(names) not in (set(PROTOCOLS), {"honest"}):
            raise AffuseError(
                "--switches turns one departure on at a time in the honest protocol; leave out --protocol."
            )
        with bars() as progress:
            found = run_switches(
                paper, loaded, out, form=form, cache=store, jobs=jobs, device=choose_device(device),
                overwrite=overwrite, progress=progress,
            )  # fmt: skip
        sentences, page, files = [], None, ("switches.csv", "switches.md")
    else:
        with bars() as progress:
            found = run_protocols(
                paper, loaded, out, protocols=names, form=form, cache=store, jobs=jobs, device=choose_device(device),
                overwrite=overwrite, command=command_line(), progress=progress,
            )  # fmt: skip
        sentences, page, files = (
            found.verdict,
            found.folder / PAGE,
            ("reproduction.csv", "claims.csv"),
        )
    print_table(found.table, found.title)
    for text in found.notes:
        messages.print(text, markup=False, soft_wrap=True)
    for text in sentences:
        messages.print(text, markup=False, soft_wrap=True, style="bold")
    for failure in found.failed:
        messages.print(f"Failed: {failure}", markup=False, soft_wrap=True)
    if found.skipped:
        count = counted(len(found.skipped), "utterance")
        messages.print(
            f"Skipped {count}; the causes are in {SKIPPED} of each folder of runs.", soft_wrap=True
        )
    messages.print(f"Tables are in {' and '.join(str(out / name) for name in files)}.", soft_wrap=True)
    if page is not None:
        messages.print(f"The report is {page}: open it in a browser.", soft_wrap=True)
    raise typer.Exit(1 if found.failed or found.skipped else 0)


def _names(text: str) -> list[str]:
    from affuse.reproduction.protocols import in_order

    return in_order([name.strip() for name in text.split(",") if name.strip()])


def _seeds(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise AffuseError(f"--seeds takes different whole numbers, for example --seeds 0,1,2, not {text!r}.")
    return tuple(map(int, parts))

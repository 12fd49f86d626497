"""``affuse validate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def validate(
    corpus: Annotated[Path, typer.Argument(help="Folder that 'affuse prepare' wrote.")],
    decode: Annotated[
        bool,
        typer.Option("--decode/--no-decode", help="Read every sample, or only the headers of the files."),
    ] = True,
) -> None:
    """Check every row, file, label and count of a corpus folder.

    Prints a line per finding. The exit code is 2 if one of them is an error.
    """
    import affuse
    from affuse.cli.console import bars, out, print_table
    from affuse.cli.raters import print_raters
    from affuse.names import counted

    loaded = affuse.Corpus.load(corpus)
    with bars() as progress:
        findings = affuse.validate(loaded, decode=decode, progress=progress)
    print_table(loaded.counts(), loaded.info.title)
    if not any(finding.field == "annotations" for finding in findings):
        print_raters(loaded)
    for finding in findings:
        out.print(str(finding), soft_wrap=True)
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = counted(len(findings) - errors, "warning")
    out.print(f"{counted(len(loaded), 'utterance')}: {counted(errors, 'error')}, {warnings}.")
    raise typer.Exit(2 if errors else 0)

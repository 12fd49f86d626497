"""``affuse validate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def validate(
    corpus: Annotated[Path, typer.Argument(help="Corpus folder that 'affuse prepare' wrote.")],
    decode: Annotated[
        bool, typer.Option(help="Read every sample (finds damage, NaN, silence) or headers only.")
    ] = True,
) -> None:
    """Check every row, file, label and count; one line per finding; exit code 2 if there is an error."""
    from affuse.cli.console import bars, out, print_table
    from affuse.corpora.corpus import Corpus
    from affuse.corpora.validation import validate as check

    loaded = Corpus.load(corpus)
    with bars() as progress:
        advance = None

        def show(done: int, total: int) -> None:
            nonlocal advance
            advance = advance or progress.start("media files", total)
            advance()

        findings = check(loaded, show, decode)
    print_table(loaded.counts(), loaded.info.title)
    for finding in findings:
        out.print(str(finding), markup=False, soft_wrap=True)
    errors = sum(finding.severity == "error" for finding in findings)
    out.print(f"{len(loaded)} utterances: {errors} errors, {len(findings) - errors} warnings.")
    raise typer.Exit(2 if errors else 0)

"""The raters' agreement of a corpus, as ``affuse prepare`` and ``affuse validate`` print it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus


def print_raters(corpus: Corpus) -> None:
    """A line per task; nothing where the corpus keeps no votes."""
    if corpus.annotations is None:
        return
    import pandas as pd

    from affuse.cli.console import print_table
    from affuse.evaluation.measures import SHOWN

    lines: list[dict[str, object]] = []
    for row in corpus.raters().to_dict("records"):
        shown = SHOWN[str(row["metric"])]
        reached = f"{shown.name} {_number(row['rater'] * shown.factor, shown.digits)}"
        known = f" [{shown.text(row['low'])}, {shown.text(row['high'])}]" if row["low"] == row["low"] else ""
        lines.append(
            {
                "task": row["task"],
                "votes": row["votes"],
                "outside the labels": row["outside"],
                "with two or more": row["utterances"],
                "alpha": _number(row["alpha"], 3),
                "one rater against the others [95 %]": reached + known,
            }
        )
    print_table(pd.DataFrame(lines), "Raters: Krippendorff's alpha is 1 where all agree, 0 where by chance")


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if value == value else "-"

"""What the verbs print with: messages and progress on standard error, results on standard output."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from affuse.cli.flags import flag
from affuse.files.names import shown
from affuse.names import counted
from affuse.progress import Bars, Lines, reporting

__all__ = ["bars", "messages", "out", "print_table", "report_skipped"]

if TYPE_CHECKING:
    import pandas as pd


class _Results(Console):
    """A reader that has seen enough, as ``| head`` has, is no failure: the exit code stays 0."""

    def on_broken_pipe(self) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0)


# rich takes 80 columns where there is no terminal, which would fold the cells of a table in a log file. Names of files
# and labels are printed as they are: [a] is no style, :b: no picture.
out = _Results(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 140)
messages = Console(stderr=True, highlight=False, markup=False, emoji=False)


@contextmanager
def bars(transient: bool = False, verbose: bool = False) -> Generator[Bars | Lines]:
    """Live bars on a terminal; on anything else the messages, and a line a minute.

    ``transient``: bars leave nothing behind. ``verbose``: what the logger ``affuse.training`` tells is said, too.
    """
    with reporting(messages, flag, transient=transient) as progress:
        if not verbose:
            yield progress
            return
        logger, telling = logging.getLogger("affuse.training"), _Telling(progress)
        before = logger.level
        logger.addHandler(telling)
        logger.setLevel(logging.INFO)
        try:
            yield progress
        finally:
            logger.setLevel(before)
            logger.removeHandler(telling)


class _Telling(logging.Handler):
    """Says what is logged."""

    def __init__(self, progress: Bars | Lines) -> None:
        super().__init__(logging.INFO)
        self.progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self.progress.say(record.getMessage())


def print_table(table: pd.DataFrame, title: str | None = None, naming: int = 1) -> None:
    """A data frame as a rich table; numbers to the right, no word broken that fits.

    Where the console is too narrow for all columns, the others go into further tables below, each with the columns that
    name a row.

    Args:
        table: The rows.
        title: Above the first.
        naming: How many of the first columns name a row.
    """
    texts = {str(name): ["" if value != value else str(value) for value in table[name]] for name in table}
    least = {
        name: max(
            cell_len(word) for word in (*name.split(), *(w for cell in cells for w in cell.split()), "")
        )
        for name, cells in texts.items()
    }
    right = {str(name) for name in table if table[name].dtype.kind in "iuf"}
    for columns in _that_fit([*least.values()], naming, out.width):
        names = [list(least)[i] for i in columns]
        most = {name: max(cell_len(line) for line in (name, *texts[name])) for name in names}
        widths = _widths([least[one] for one in names], [most[one] for one in names], out.width)
        shown = Table(title=title, title_justify="left")
        for name, width in zip(names, widths, strict=True):
            shown.add_column(name, justify="right" if name in right else "left", overflow="fold", width=width)
        for row in zip(*(texts[name] for name in names), strict=True):
            shown.add_row(*row)
        out.print(shown)
        title = None


_FRAME = 3  # columns of the console that a table's column takes beside its text


def _that_fit(least: Sequence[int], naming: int, width: int) -> list[list[int]]:
    """The columns of each table: those that name a row, then as many as fit.

    Examples:
        >>> _that_fit([4, 6, 6, 6], 1, 30), _that_fit([4, 6, 6, 6], 1, 40)
        ([[0, 1, 2], [0, 3]], [[0, 1, 2, 3]])
    """
    first = list(range(min(naming, len(least))))
    found: list[list[int]] = [[]]
    for i in range(len(first), len(least)):
        taken = sum(least[one] + _FRAME for one in [*first, *found[-1], i]) + 1
        if taken > width and found[-1]:
            found.append([])
        found[-1].append(i)
    return [[*first, *others] for others in found]


def _widths(least: Sequence[int], most: Sequence[int], width: int) -> list[int | None]:
    """What is left beside the longest words goes to the columns that have most to say; None: nothing fits, as it is.

    Examples:
        >>> _widths([4, 4], [20, 4], 40), _widths([4, 4], [50, 6], 40), _widths([40, 4], [50, 6], 40)
        ([20, 4], [27, 6], [None, None])
    """
    found = list(least)
    left = width - 1 - sum(one + _FRAME for one in least)
    if left < 0:
        return [None] * len(least)
    # the columns that lack least are served first, so that one long text takes what the others leave
    order = sorted(range(len(least)), key=lambda i: most[i] - least[i])
    for served, i in enumerate(order):
        more = min(most[i] - least[i], left // (len(order) - served))
        found[i], left = found[i] + more, left - more
    return [*found]


def report_skipped(table: pd.DataFrame, where: object) -> int:
    """Say how many clips were skipped, or used in part; the exit code that follows from the skipped.

    Args:
        table: As ``skipped.csv`` has it: id, modality, cause, used.
        where: The file that holds all causes.
    """
    code = 0
    for used, done in (("in part", "used in part"), ("no", "skipped")):
        rows = table[table["used"] == used]
        if not len(rows):
            continue
        count = counted(rows["id"].nunique(), "utterance")
        first = rows.iloc[0]
        told = f"{count} {done}, the first: {first['id']}: {first['cause']} All causes are in {where}."
        messages.print(shown(told), soft_wrap=True)
        code = max(code, int(used == "no"))
    return code

"""What the verbs print with: messages and progress on standard error, results on standard output."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

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


def print_table(table: pd.DataFrame, title: str | None = None) -> None:
    """A data frame as a rich table; numbers to the right."""
    shown = Table(title=title, title_justify="left")
    for name in table.columns:
        numeric = table[name].dtype.kind in "iuf"
        shown.add_column(str(name), justify="right" if numeric else "left", overflow="fold")
    for row in table.itertuples(index=False):
        shown.add_row(*("" if value != value else str(value) for value in row))
    out.print(shown)


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

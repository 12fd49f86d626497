"""What the verbs print with: messages and progress on standard error, results on standard output."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from affuse.cli.flags import flag
from affuse.files.names import shown
from affuse.progress import Bars, Lines, reporting

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


def bars() -> AbstractContextManager[Bars | Lines]:
    """Live bars on a terminal; on anything else the messages, and a line a minute."""
    return reporting(messages, flag)


def print_table(table: pd.DataFrame, title: str | None = None) -> None:
    """A data frame as a rich table; numbers to the right."""
    shown = Table(title=title, title_justify="left")
    for name in table.columns:
        numeric = table[name].dtype.kind in "iuf"
        shown.add_column(str(name), justify="right" if numeric else "left", overflow="fold")
    for row in table.itertuples(index=False):
        shown.add_row(*("" if value != value else str(value) for value in row))
    out.print(shown)


def command_line() -> str:
    """What was typed, as a shell takes it."""
    return shlex.join(["affuse", *sys.argv[1:]])


def choose_device(device: str) -> str:
    """ "auto" -> "cuda" where a GPU is at hand, else "cpu"."""
    import torch

    from affuse.errors import AffuseError

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise AffuseError(f"--device takes auto, cpu or cuda, not {device!r}.")
    if device == "cuda" and not torch.cuda.is_available():
        raise AffuseError(f"--device {device}: no GPU is at hand; use --device cpu.")
    return device


def report_skipped(skipped: list, where: object, partial: Sequence = ()) -> int:
    """Say how many clips were skipped, or used in part; the exit code that follows from the skipped."""
    if partial:
        count = len({clip.id for clip in partial})
        messages.print(
            shown(
                f"{count} utterance{'s' if count > 1 else ''} used in part, the first: {partial[0].id}: "
                f"{partial[0].cause} All of them are in {where}."
            ),
            soft_wrap=True,
        )
    if not skipped:
        return 0
    first = skipped[0]
    count = len({skip.id for skip in skipped})
    messages.print(
        shown(f"{count} utterance{'s' if count > 1 else ''} skipped, the first: {first.id}: {first.cause}"),
        soft_wrap=True,
    )
    messages.print(shown(f"All causes are in {where}."), soft_wrap=True)
    return 1

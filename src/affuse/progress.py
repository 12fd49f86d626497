"""What long work reports while it runs: bars in a terminal or notebook, a line a minute elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

from affuse.errors import name_arguments
from affuse.files.names import shown

FIRST_LINE = 20.0  # seconds after which a log hears of a stage for the first time; a short one needs no line
BETWEEN_LINES = 60.0


class Progress(Protocol):
    """What long work reports to."""

    def start(self, task: str, total: int, done: int = 0) -> Callable[[], None]:
        """Begin a stage of ``total`` steps, ``done`` of them earlier; call what comes back after each step."""
        ...

    def count(self, task: str) -> Callable[[int, int], None]:
        """Begin a stage that reports (steps done, all steps)."""
        ...

    def say(self, message: str) -> None:
        """A sentence that the user should read."""
        ...


class Quiet:
    """Reports nothing: the default in a script."""

    def start(self, task: str, total: int, done: int = 0) -> Callable[[], None]:
        """See ``Progress``."""
        return lambda: None

    def count(self, task: str) -> Callable[[int, int], None]:
        """See ``Progress``."""
        return lambda done, total: None

    def say(self, message: str) -> None:
        """See ``Progress``."""


class Heard:
    """Passes all on to another progress, and keeps the sentences: a quiet script can still read them.

    Args:
        progress: Where all of it goes.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.sentences: list[str] = []

    def start(self, task: str, total: int, done: int = 0) -> Callable[[], None]:
        """See ``Progress``."""
        return self._progress.start(task, total, done)

    def count(self, task: str) -> Callable[[int, int], None]:
        """See ``Progress``."""
        return self._progress.count(task)

    def say(self, message: str) -> None:
        """See ``Progress``."""
        self.sentences.append(name_arguments(message))
        self._progress.say(message)


class Said:
    """Prints each sentence once: experiments that share a split would repeat themselves.

    Args:
        console: where to.
        write: how an ``errors.argument`` in a sentence is written; None: as in Python.
    """

    def __init__(self, console: Console, write: Callable[..., str] | None = None) -> None:
        self.console = console
        self._write = write
        self._said: set[str] = set()

    def say(self, message: str) -> None:
        """See ``Progress``."""
        if message not in self._said:
            self._said.add(message)
            self.console.print(shown(name_arguments(message, self._write)), markup=False, soft_wrap=True)


class Bars(Said):
    """A bar per stage; sentences are printed above them."""

    def __init__(self, progress: RichProgress, write: Callable[..., str] | None = None) -> None:
        super().__init__(progress.console, write)
        self._progress = progress

    def start(self, task: str, total: int, done: int = 0) -> Callable[[], None]:
        """See ``Progress``."""
        bar = self._progress.add_task(task, total=total, completed=done)
        return lambda: self._progress.advance(bar)

    def count(self, task: str) -> Callable[[int, int], None]:
        """See ``Progress``."""
        bar = self._progress.add_task(task, total=None)
        return lambda done, total: self._progress.update(bar, completed=done, total=total)


class Lines(Said):
    """A line now and then, for logs (nohup, SLURM): steps done, and how long the rest will take.

    The first line of a stage comes after ``FIRST_LINE`` seconds, the others every ``BETWEEN_LINES``.
    """

    def __init__(
        self,
        console: Console,
        clock: Callable[[], float] = time.monotonic,
        write: Callable[..., str] | None = None,
    ) -> None:
        super().__init__(console, write)
        self._clock = clock

    def start(self, task: str, total: int, done: int = 0) -> Callable[[], None]:
        """See ``Progress``."""
        hear = self._stage(task, done)
        steps = done

        def advance() -> None:
            nonlocal steps
            steps += 1
            hear(steps, total)

        return advance

    def count(self, task: str) -> Callable[[int, int], None]:
        """See ``Progress``."""
        return self._stage(task, 0)

    def _stage(self, task: str, before: int) -> Callable[[int, int], None]:
        began = self._clock()
        due = began + FIRST_LINE
        spoke = False

        def hear(done: int, total: int) -> None:
            nonlocal due, spoke
            now = self._clock()
            last = done >= total and spoke
            if now < due and not last:
                return
            due, spoke = now + BETWEEN_LINES, True
            line = f"{task}: {done} of {total}, {in_words(now - began)}"
            if before < done < total:
                line += f", about {in_words((now - began) / (done - before) * (total - done))} left"
            self.console.print(line, markup=False, soft_wrap=True)

        return hear


def in_words(seconds: float) -> str:
    """'8 s', '3 min', '2 h 5 min'."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


@contextmanager
def reporting(
    console: Console | None = None, write: Callable[..., str] | None = None
) -> Iterator[Bars | Lines]:
    """Bars where ``console`` (default: standard error) is a terminal or a notebook, lines elsewhere.

    ``write`` is for ``Said``: the command line passes ``cli.flags.flag``.
    """
    console = console or Console(stderr=True, highlight=False, markup=False, emoji=False)
    if not (console.is_terminal or console.is_jupyter):
        yield Lines(console, write=write)
        return
    with RichProgress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        yield Bars(progress, write)


def interactive() -> bool:
    """Whether somebody watches: standard error is a terminal, or this is a notebook."""
    return sys.stderr is not None and (sys.stderr.isatty() or Console(stderr=True).is_jupyter)


@contextmanager
def watched(progress: Progress | None = None) -> Iterator[Progress]:
    """Yield ``progress`` if there is one, else bars where somebody watches, else ``Quiet``."""
    if progress is not None:
        yield progress
    elif interactive():
        with reporting() as chosen:
            yield chosen
    else:
        yield Quiet()

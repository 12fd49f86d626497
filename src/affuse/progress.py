"""What long work reports while it runs: bars in a terminal or notebook, a line a minute elsewhere, or nothing."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from typing import Protocol, TypeVar

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
Item = TypeVar("Item")
Advance = Callable[[int, int], None]  # is told of (steps done, all steps)


def uncounted(done: int, total: int) -> None:
    """An ``Advance`` for where nobody asks how far it is."""


class Progress(Protocol):
    """What long work reports to."""

    def start(self, task: str, total: int, done: int = 0) -> Callable[[], None]:
        """Begin a stage of ``total`` steps, ``done`` of them earlier; call what comes back after each step."""
        ...

    def count(self, task: str) -> Advance:
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

    def count(self, task: str) -> Advance:
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
        self.unheard = progress  # what is said to it directly is not kept: how long something took, say
        self.sentences: list[str] = []

    def start(self, task: str, total: int, done: int = 0) -> Callable[[], None]:
        """See ``Progress``."""
        return self.unheard.start(task, total, done)

    def count(self, task: str) -> Advance:
        """See ``Progress``."""
        return self.unheard.count(task)

    def say(self, message: str) -> None:
        """See ``Progress``."""
        self.sentences.append(name_arguments(message))
        self.unheard.say(message)


class Said:
    """A console that prints each sentence once: experiments that share a split would repeat themselves.

    Args:
        console: Where to.
        write: How an ``errors.argument`` in a sentence is written; None: as in Python.
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

    def count(self, task: str) -> Advance:
        """See ``Progress``."""
        bar = self._progress.add_task(task, total=None)
        return lambda done, total: self._progress.update(bar, completed=done, total=total)

    @contextmanager
    def aside(self) -> Generator[None]:
        """Take the bars away for as long as something else is printed: standard output may be the same terminal."""
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()


class Lines(Said):
    """A line now and then, for logs (nohup, SLURM): steps done, and how long the rest will take.

    The first line of a stage comes after ``FIRST_LINE`` seconds, the others every ``BETWEEN_LINES``, the last at its
    end. ``pulse``, called now and then, keeps to this where a single step takes longer, and where work has no steps.

    Args:
        console: Where to.
        clock: Gives the time in seconds.
        write: See ``Said``.
    """

    def __init__(
        self,
        console: Console,
        clock: Callable[[], float] = time.monotonic,
        write: Callable[..., str] | None = None,
    ) -> None:
        super().__init__(console, write)
        self._clock = clock
        self._began = self._last = clock()
        self._stage: _Stage | None = None  # the one that began or advanced last
        self._lock = threading.Lock()

    def start(self, task: str, total: int, done: int = 0) -> Callable[[], None]:
        """See ``Progress``."""
        stage = self._stage = _Stage(task, self._clock(), done, total)
        return lambda: self._hear(stage)

    def count(self, task: str) -> Advance:
        """See ``Progress``."""
        stage = self._stage = _Stage(task, self._clock())
        return lambda done, total: self._hear(stage, done, total)

    def say(self, message: str) -> None:
        """See ``Progress``."""
        super().say(message)
        self._last = self._clock()

    def aside(self) -> AbstractContextManager[None]:
        """See ``Bars``: lines are not in the way."""
        return nullcontext()

    def pulse(self) -> None:
        """Print a line if one is due, though no step has been finished."""
        with self._lock:
            now, stage = self._clock(), self._stage
            if stage is not None and not stage.finished:
                if now >= stage.due:
                    self._print(stage.line(now), now)
            elif now >= self._last + BETWEEN_LINES:
                self._print(f"still at work, {in_words(now - self._began)}", now)

    def _hear(self, stage: _Stage, done: int | None = None, total: int | None = None) -> None:
        with self._lock:  # files may be read on several threads
            now = self._clock()
            if stage.total is None:  # its first report: some of it may have been done earlier
                stage.reckon_from(now, done or 0)
            ended = stage.finished  # runs that train together each report the end
            stage.done = stage.done + 1 if done is None else done
            stage.total = total or stage.total
            self._stage = stage
            if not (ended and stage.finished) and (now >= stage.due or (stage.finished and stage.spoke)):
                self._print(stage.line(now), now)

    def _print(self, line: str, now: float) -> None:
        self._last = now
        self.console.print(line, markup=False, soft_wrap=True)


class _Stage:
    """A stage of long work as ``Lines`` knows it."""

    def __init__(self, task: str, began: float, done: int = 0, total: int | None = None) -> None:
        self.task, self.done, self.total = task, done, total
        self.due = began + FIRST_LINE
        self.spoke = False
        self._began = began
        self._then = (began, done)  # the time of the line before, and the steps that were done

    @property
    def finished(self) -> bool:
        return self.total is not None and self.done >= self.total

    def reckon_from(self, now: float, done: int) -> None:
        """What is left is reckoned from the steps after these."""
        self._then = now, done

    def line(self, now: float) -> str:
        """'audio: 20 of 100, 40 s, about 3 min left': the rest at the pace since the line before."""
        text = self.task if self.total is None else f"{self.task}: {self.done} of {self.total}"
        text += f", {in_words(now - self._began)}"
        before, steps = self._then
        if self.total is not None and steps < self.done < self.total:
            text += (
                f", about {in_words((now - before) / (self.done - steps) * (self.total - self.done))} left"
            )
        if self.done > steps:
            self.reckon_from(now, self.done)
        self.due, self.spoke = now + BETWEEN_LINES, True
        return text


def tracked(progress: Progress, task: str, items: Sequence[Item]) -> Iterator[Item]:
    """Give the items one by one, each a step of a stage.

    Examples:
        >>> list(tracked(Quiet(), "clips", ["a", "b"]))
        ['a', 'b']
    """
    advance = progress.start(task, len(items))
    for item in items:
        yield item
        advance()


def in_words(seconds: float) -> str:
    """'8 s', '3 min', '2 h 5 min'."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


@contextmanager
def reporting(
    console: Console | None = None, write: Callable[..., str] | None = None, *, transient: bool = False
) -> Generator[Bars | Lines]:
    """Report long work: bars where they can be drawn (a terminal, a notebook), lines elsewhere.

    Args:
        console: Where to; None: standard error.
        write: See ``Said``; the command line passes ``cli.flags.flag``.
        transient: Bars leave nothing behind.
    """
    console = console or Console(stderr=True, highlight=False, markup=False, emoji=False)
    if not _draws(console):
        lines = Lines(console, write=write)
        with _pulsing(lines):
            yield lines
        return
    with RichProgress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=transient,
    ) as progress:
        yield Bars(progress, write)


def interactive() -> bool:
    """Whether somebody watches: standard error is a terminal, or this is a notebook."""
    return sys.stderr is not None and (sys.stderr.isatty() or Console(stderr=True).is_jupyter)


def _draws(console: Console) -> bool:
    """Whether a bar can be moved: rich needs ipywidgets for it in a notebook, and cannot in a dumb terminal."""
    if console.is_jupyter:
        return find_spec("ipywidgets") is not None
    return console.is_terminal and not console.is_dumb_terminal


@contextmanager
def _pulsing(lines: Lines) -> Generator[None]:
    """Call ``pulse`` every second, beside the work."""
    over = threading.Event()

    def pulse() -> None:
        while not over.wait(1.0):
            lines.pulse()

    beside = threading.Thread(target=pulse, daemon=True)
    beside.start()
    try:
        yield
    finally:
        over.set()
        beside.join()


@contextmanager
def watched(progress: Progress | None = None, *, transient: bool = False) -> Generator[Progress]:
    """Yield ``progress`` if there is one, else bars where somebody watches, else ``Quiet``.

    ``transient``: bars leave nothing behind.
    """
    if progress is not None:
        yield progress
    elif interactive():
        with reporting(transient=transient) as chosen:
            yield chosen
    else:
        yield Quiet()

"""A progress that prints nothing, and remembers what it was told."""

from __future__ import annotations

from collections.abc import Callable

from affuse import progress
from affuse.errors import name_arguments


class Quiet(progress.Quiet):
    """said: the sentences; totals: task -> of how many it is; counts: task -> (steps done, all steps), as told."""

    def __init__(self) -> None:
        self.counts: dict[str, list[tuple[int, int]]] = {}
        self.said: list[str] = []
        self.totals: dict[str, int] = {}

    def start(self, task: str, total: int, done: int = 0) -> Callable[[], None]:
        self.totals[task] = total
        return lambda: None

    def count(self, task: str) -> Callable[[int, int], None]:
        told = self.counts.setdefault(task, [])
        return lambda done, total: told.append((done, total))

    def say(self, message: str) -> None:
        self.said.append(name_arguments(message))

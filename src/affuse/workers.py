"""Pools of worker processes: how they start, what every worker does first, how they end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType
from typing import Any

from affuse.errors import AffuseError, argument
from affuse.parts import registry

_STARTING = threading.Lock()


def check_jobs(jobs: int | None) -> None:
    """Refuse a number of threads or processes that is none. None is one per core."""
    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
        raise AffuseError(f"{argument('jobs')} takes a whole number from 1, not {jobs!r}.")


class _Process(SpawnProcess):
    """A worker that knows the parts which its parent has registered."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parts = registry.carried()

    def run(self) -> None:
        registry.carry(self._parts)
        super().run()

    @staticmethod
    def _Popen(process_obj: Any) -> Any:
        with _without_main(), _uninterrupted():
            return SpawnProcess._Popen(process_obj)  # type: ignore[attr-defined]


class WorkerContext(SpawnContext):
    """As "spawn", but the worker does not run the caller's script again, which nothing that is sent to it needs.

    A script without ``if __name__ == "__main__"`` would otherwise start itself in every worker and end there (joblib's
    workers do without the script too).
    """

    Process = _Process


@contextmanager
def _without_main() -> Generator[None]:
    """``multiprocessing`` asks ``sys.modules`` what the caller's script is; for a moment there is none."""
    with _STARTING:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


@contextmanager
def _uninterrupted() -> Generator[None]:
    """Hold Ctrl-C back while a worker starts; the worker never gets it, and prints no traceback of its imports.

    It inherits what is blocked here. In between, the parent would leave it with half of what it waits for.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def worker_pool(
    processes: int, begin: Callable[..., None], *values: Any, kept: str = ""
) -> Generator[ProcessPoolExecutor]:
    """A pool of fresh interpreters, each beginning with ``begin(*values)``, which calls ``begin_worker``.

    Fresh: a forked child of a process that has used torch's thread pool may hang. On an exception, Ctrl-C above all,
    the workers are ended at once. Raises AffuseError where one was killed; ``kept`` ends that sentence.
    """
    with ProcessPoolExecutor(
        processes, mp_context=WorkerContext(), initializer=begin, initargs=values
    ) as pool:
        try:
            yield pool
        except BrokenProcessPool:
            raise AffuseError(
                "A worker process was killed, most likely because memory ran out; run the same command again with a "
                f"lower {argument('jobs')}.{kept}"
            ) from None
        except BaseException:
            # Nothing is cancelled (as pool.map would): the pool's thread, which fails all that waits once it finds its
            # processes gone, stumbles over what was cancelled already.
            # Killed, for Lightning lets a SIGTERM pass while it trains.
            for child in multiprocessing.active_children():
                child.kill()
            raise


def begin_worker() -> None:
    """Leave Ctrl-C to the parent, and end when it ends: a killed parent cannot stop its workers any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

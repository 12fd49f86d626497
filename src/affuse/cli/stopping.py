"""A command that is stopped from outside: Ctrl-C, or SIGTERM, which batch systems and service managers send."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

CONTINUED = ("train", "compare", "reproduce", "demo")  # verbs whose work goes on where it was
ENDLESS = ("serve", "listen")  # verbs that somebody must end, and that write nothing


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


@contextmanager
def ended_by_sigterm(verb: str) -> Generator[None]:
    """Let SIGTERM end a verb of ``CONTINUED`` as Ctrl-C does: threads and workers end, and no file is half-written.

    Raises:
        Terminated: It came, whatever error it led to: a worker that got it too dies of it.
    """
    usual = signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if verb not in CONTINUED or not usual or threading.current_thread() is not threading.main_thread():
        yield
        return
    came = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    except BaseException:
        if came:
            raise Terminated from None
        raise
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

"""When a process that could not even begin is started again."""

from __future__ import annotations

import time

from affuse.names import counted

FIRST, LATEST = 2.0, 60.0  # seconds
HOPELESS = 3  # failures in a row, after which nothing should wait for it


class Restarts:
    """Of one process: the more often in a row it failed, the longer it is waited.

    Examples:
        >>> restarts = Restarts()
        >>> [restarts.failed() for _ in range(7)]
        [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
        >>> restarts.worked()
        >>> restarts.failed()
        2.0
    """

    def __init__(self) -> None:
        self._failures = 0
        self._next = 0.0

    def failed(self) -> float:
        """It ended before it was ready: the seconds after which it is started again."""
        pause = min(LATEST, FIRST * 2**self._failures)
        self._failures += 1
        self._next = time.monotonic() + pause
        return pause

    def worked(self) -> None:
        """It is ready."""
        self._failures = 0

    @property
    def hopeless(self) -> bool:
        """Whether it has failed so often that nothing should wait for it."""
        return self._failures >= HOPELESS

    def sentence(self, what: str) -> str:
        """That it does not begin, for whoever runs the service, or ""."""
        if not self._failures:
            return ""
        seconds = max(0.0, self._next - time.monotonic())
        return (
            f"A process that {what} has ended {counted(self._failures, 'time')} in a row before it was ready; it is "
            f"started again in {seconds:.0f} s."
        )

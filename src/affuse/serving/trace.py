"""Where a fault of the service lies, without what it was about: the text of an exception may quote a client."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_LOGGERS = ("uvicorn.error", "asyncio")


@contextmanager
def content_kept_out() -> Generator[None]:
    """Log faults of the server without their texts, while it runs."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(without_content)
    try:
        yield
    finally:
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(without_content)


def without_content(record: logging.LogRecord) -> bool:
    """Put kinds and places of exceptions in the place of their trace; leave out those that the service's end causes."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, asyncio.CancelledError):  # requests that the end breaks off, such as of events
        return False
    if error is not None:
        kinds: list[str] = []
        seen: BaseException | None = error
        while seen is not None:
            kinds.append(type(seen).__name__)
            seen = seen.__cause__ or seen.__context__
        places = [
            f"{Path(one.filename).name}:{one.lineno} {one.name}"
            for one in traceback.extract_tb(error.__traceback__)
        ]
        record.msg = f"{' of '.join(kinds)} in {' > '.join(places)}"
        record.args, record.exc_info, record.exc_text = (), None, None
    return True

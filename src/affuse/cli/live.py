"""Segments on the terminal or in a pipe while the sound goes on: ``affuse listen``, ``affuse predict - --live``."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any

from affuse.errors import AffuseError, argument
from affuse.files.names import shown
from affuse.names import counted

if TYPE_CHECKING:
    import numpy as np

    from affuse.inference.live.stream import LiveSegment, LiveStream
    from affuse.inference.timeline import Segment
    from affuse.recipe.dimension import Dimension

FORMATS = ("text", "json", "csv")
_CLEAR = "\r\x1b[2K"  # the line, on a terminal
_COLUMNS = 79


def checked_format(kind: str | None) -> str:
    """The format that was asked for; text, if none.

    Raises:
        AffuseError: It cannot be written line by line.
    """
    kind = kind or FORMATS[0]
    if kind not in FORMATS:
        raise AffuseError(f"{argument('formats')} of live segments is text, json or csv, not {kind!r}.")
    return kind


def open_stream(model: str, rate: int, *, classes: str | None, **settings: Any) -> LiveStream:
    """The stream of a model, with the options that all live verbs have; its warning is said.

    Raises:
        AffuseError: No such model, or options that do not fit.
    """
    from affuse.cli.console import messages
    from affuse.models.loading import load_model

    stream = load_model(model).stream(
        rate,
        partial=shows_partial(),
        classes=None if classes is None else [name.strip() for name in classes.split(",") if name.strip()],
        **settings,
    )
    if stream.warning:
        messages.print(shown(stream.warning), soft_wrap=True, markup=False)
    return stream


def shows_partial() -> bool:
    """Whether somebody looks at what may still change."""
    return sys.stderr.isatty()


def tell(stream: LiveStream, blocks: Iterable[np.ndarray], kind: str, clip: str) -> None:
    """Print a line for every segment that is final, as soon as it is; on a terminal, what comes, too.

    Ctrl-C ends the sound, and what is left is told.

    Args:
        stream: Open; it is closed afterwards.
        blocks: (time,) float32 each.
        kind: One of ``FORMATS``.
        clip: What a table calls the sound.
    """
    printer = _Printer(stream, kind, clip)
    for block in _until_ctrl_c(blocks):
        printer.tell(stream.push(block))
    printer.tell(stream.close())
    printer.end()


def _until_ctrl_c(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The blocks until Ctrl-C, which breaks off the waiting for one, but not what is done with one; a second does."""
    if threading.current_thread() is not threading.main_thread():
        yield from blocks
        return
    waits = asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if waits or asked:
            raise KeyboardInterrupt
        asked = True

    source, before = iter(blocks), signal.signal(signal.SIGINT, stop)
    try:
        while not asked:
            waits = True
            try:
                block = next(source, None)
            except KeyboardInterrupt:
                return
            waits = False
            if block is None:
                return
            yield block
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


class _Printer:
    def __init__(self, stream: LiveStream, kind: str, clip: str) -> None:
        self._stream, self._kind, self._clip = stream, kind, clip
        self._count, self._partial = 0, ""

    def tell(self, segments: Iterable[LiveSegment]) -> None:
        for segment, final in segments:
            if not final:
                self._show(segment)
                continue
            self._clear()
            sys.stdout.write(self._line(segment))
            sys.stdout.flush()
            self._count += 1

    def end(self) -> None:
        """What is to be said of all of it."""
        from affuse.cli.console import messages

        self._clear()
        said = [f"{self._clip}: {self._stream.seconds:.1f} s, {counted(self._count, 'segment')}."]
        if not self._count:
            said.append("Nobody speaks in it; --no-vad takes all of the sound.")
        for sentence in [*said, *self._stream.faults]:
            messages.print(shown(sentence), soft_wrap=True, markup=False)

    def _line(self, segment: Segment) -> str:
        if self._kind == "json":
            return json.dumps(segment.to_dict(), ensure_ascii=False) + "\n"
        if self._kind == "text":
            return _text(segment, self._stream.ranges) + "\n"
        from affuse.inference.timeline import Timeline
        from affuse.inference.writers import CsvWriter

        alone = Timeline(  # of its rows alone
            self._clip, segment.end, [segment], {}, self._stream.spaces, 0, 0, ranges=self._stream.ranges
        )
        return CsvWriter().text(alone, header=self._count == 0)

    def _show(self, segment: Segment) -> None:
        """The last of those that may change, in place of the one before."""
        if shows_partial():
            self._partial = _text(segment, self._stream.ranges)
            sys.stderr.write(_CLEAR + f"{self._partial} ..."[-_COLUMNS:])
            sys.stderr.flush()

    def _clear(self) -> None:
        if self._partial:
            self._partial = ""
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()


def _text(segment: Segment, ranges: Mapping[str, Dimension]) -> str:
    """'0:01:02.3-0:01:05.0  anger 0.83, female 0.99, valence 3.4  the words'."""
    from affuse.inference.writers import say

    parts = [f"{_clock(segment.start)}-{_clock(segment.end)}", say(segment, ranges), segment.text]
    return shown("  ".join(part for part in parts if part))


def _clock(seconds: float) -> str:
    minutes, tenths = divmod(round(seconds * 10), 600)
    return f"{minutes // 60}:{minutes % 60:02}:{tenths // 10:02}.{tenths % 10}"

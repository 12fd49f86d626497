"""Windows laid over stretches of a clip, and what overlapping windows say about each moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from affuse.errors import AffuseError, argument
from affuse.media.speech import Span

LEAST_WINDOW = 0.2  # seconds
_SLACK = 1e-6


class Window(NamedTuple):
    """Seconds of the clip, and which span it lies in."""

    start: float
    end: float
    span: int


class Moment(NamedTuple):
    """A stretch between two neighbouring edges of windows: every part of it is under the same windows."""

    start: float
    end: float
    span: int
    windows: tuple[int, ...]  # their indices
    outputs: dict[str, np.ndarray]  # task -> (columns,), mean over those windows


def check_lengths(window: float, hop: float) -> None:
    """Check the lengths of windows and hops, in seconds.

    Raises:
        AffuseError: They lay no windows.
    """
    if not window >= LEAST_WINDOW:
        raise AffuseError(f"{argument('window')} takes at least {LEAST_WINDOW} seconds, not {window:g}.")
    if not 0 < hop <= window:
        raise AffuseError(
            f"{argument('hop')} takes more than 0 and at most the window's {window:g} seconds, not {hop:g}; a "
            "longer one would leave gaps."
        )


def lay_windows(spans: Sequence[Span], window: float, hop: float) -> list[Window]:
    """A span as long as ``window`` or shorter is one window; a longer one has one every ``hop`` and one at its end.

    So a window holds speech from its first moment to its last, as a training clip does. In order of their starts.
    """
    windows: list[Window] = []
    for i, (start, end) in enumerate(spans):
        count = count_windows(start, end, window, hop)
        windows += [regular_window(start, k, window, hop, i) for k in range(count)]
        windows.append(last_window(start, end, window, i))
    return windows


def count_windows(start: float, end: float, window: float, hop: float) -> int:
    """How many windows, one every ``hop``, a span has before its last one; more speech never makes them fewer."""
    last = end - window
    return 0 if last <= start + _SLACK else int((last - start) / hop + 1 - _SLACK)


def regular_window(start: float, k: int, window: float, hop: float, span: int) -> Window:
    """Window ``k``, from 0, of the span that begins at ``start``."""
    return Window(start + k * hop, start + k * hop + window, span)


def last_window(start: float, end: float, window: float, span: int) -> Window:
    """The window at the end of a span, all of it where it is short."""
    return Window(start if end - window <= start + _SLACK else end - window, end, span)


def smooth(windows: Sequence[Window], outputs: Mapping[str, np.ndarray]) -> list[Moment]:
    """The mean over the windows that cover a moment, for every moment that one covers.

    outputs: task -> (windows, columns), as of ``WindowAnswers``; rows of NaN are windows without an answer, which count
    as none.
    """
    known = np.ones(len(windows), bool)
    for values in outputs.values():
        known &= np.isfinite(values).all(axis=1)
    by_span: dict[int, list[int]] = {}
    for i, window in enumerate(windows):
        if known[i]:
            by_span.setdefault(window.span, []).append(i)
    moments = []
    for span, members in by_span.items():
        edges = sorted({edge for i in members for edge in windows[i][:2]})
        begun, over = 0, []
        for start, end in pairwise(edges):
            middle = (start + end) / 2
            while begun < len(members) and windows[members[begun]].start <= middle:
                over.append(members[begun])
                begun += 1
            over = [i for i in over if middle < windows[i].end]
            if over and end - start > _SLACK:
                mean = {task: values[over].mean(axis=0) for task, values in outputs.items()}
                moments.append(Moment(start, end, span, tuple(over), mean))
    return moments

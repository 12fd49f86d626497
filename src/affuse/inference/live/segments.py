"""Answers to windows, in whatever order they come -> segments, each as soon as nothing can change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from math import inf

import numpy as np

from affuse.inference.judge import Group, Judge
from affuse.inference.live.listener import Heard, ReadyWindow
from affuse.inference.timeline import Segment
from affuse.inference.windows import Moment, Window, smooth
from affuse.inference.words import Word

_MARGIN = 1e-5  # seconds; more than what ``smooth`` leaves out, and than what times are rounded by
_SHOWN = 2  # windows that are not sure, the newest ones, that say what comes


@dataclass(frozen=True)
class _Answered:
    window: ReadyWindow
    outputs: Mapping[str, np.ndarray]
    given: tuple[str, ...]


@dataclass
class _Span:
    """What is not told yet of one span."""

    settled: float = -inf
    last: int | None = None
    ended: bool = False
    awaited: dict[int, ReadyWindow] = field(default_factory=dict[int, ReadyWindow])  # sure, not answered
    answered: dict[int, _Answered] = field(default_factory=dict[int, _Answered])  # sure
    shown: dict[int, _Answered] = field(default_factory=dict[int, _Answered])  # not sure
    maybe: dict[int, ReadyWindow] = field(default_factory=dict[int, ReadyWindow])  # not sure, not answered
    reached: float = -inf  # every moment before was told
    group: Group | None = None  # moments that are final, of a segment that may go on
    words: list[Word] = field(default_factory=list[Word])
    changed: bool = True


class LiveSegments:
    """Segments of a stream: all of them together are those of the whole recording.

    What a ``Listener`` has heard goes to ``expect``, the answers of its windows to ``answer``, soon or late, in any
    order; then ask for ``sealed``. Memory does not grow with the stream.

    Args:
        judge: Of the model and its settings.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._spans: dict[int, _Span] = {}  # in order
        self._span_of: dict[int, int] = {}  # of windows that wait for their answers
        self._order: dict[str, None] = {}  # of the modalities
        self._partial: list[Segment] | None = None  # as it was asked for last; None: something has changed

    @property
    def waiting(self) -> int:
        """Windows that were not answered."""
        return len(self._span_of)

    def expect(self, heard: Heard) -> None:
        """What a listener has heard."""
        if heard.windows or any(news.last is not None for news in heard.spans):
            self._partial = None
        for window in heard.windows:
            span = self._spans.setdefault(window.span, _Span())
            (span.awaited if window.sure else span.maybe)[window.number] = window
            self._span_of[window.number] = window.span
            span.changed = True
        for news in heard.spans:
            span = self._spans.setdefault(news.span, _Span())
            span.settled = news.settled
            span.last, span.ended = news.last, news.last is not None
            if news.last in span.maybe:
                span.awaited[news.last] = span.maybe.pop(news.last)
            elif news.last in span.shown:
                span.answered[news.last] = span.shown.pop(news.last)
            span.changed = True

    def say(self, span: int, words: Sequence[Word]) -> None:
        """The words of a span, before the answer of its last window."""
        self._spans[span].words = list(words)
        self._partial = None

    def answer(self, number: int, outputs: Mapping[str, np.ndarray], given: tuple[str, ...] = ()) -> None:
        """What the network says of a window.

        Args:
            number: Of the window.
            outputs: Task -> (columns,), a row of ``WindowAnswers.outputs``; NaN where it had nothing to go by.
            given: The modalities that it had.
        """
        self._partial = None
        span = self._spans.get(self._span_of.pop(number))
        if span is None:  # of a window that was not sure, and has come too late
            return
        span.changed = True
        if number in span.awaited:
            span.answered[number] = _Answered(span.awaited.pop(number), outputs, given)
            return
        span.shown[number] = _Answered(span.maybe.pop(number), outputs, given)
        for old in sorted(span.shown)[:-_SHOWN]:
            if old != span.last:
                del span.shown[old]

    def sealed(self) -> list[Segment]:
        """The segments that have become final since the last call, in order."""
        found: list[Segment] = []
        for number in list(self._spans):
            span = self._spans[number]
            if span.changed:
                found += self._seal(span)
                span.changed = False
            if not span.ended or span.awaited:
                break
            del self._spans[number]
        if found:
            self._partial = None
        return found

    def partial(self) -> list[Segment]:
        """What follows the final segments, as it looks now."""
        if self._partial is None:
            self._partial = self._shown()
        return list(self._partial)

    def _shown(self) -> list[Segment]:
        found: list[Segment] = []
        for span in self._spans.values():
            group = deepcopy(span.group)
            groups: list[Group] = [] if group is None else [group]
            order = dict(self._order)
            known = [*span.answered.values(), *span.shown.values()]
            for moment, names in self._moments(known, span.reached, order):
                labels = self._judge.labels(moment)
                if groups and groups[-1].has_room_for(moment, labels):
                    groups[-1].add(moment, names)
                else:
                    groups.append(Group(moment, labels, names))
            found += [self._judge.segment(one, order, span.words) for one in groups]
        return found

    def _seal(self, span: _Span) -> list[Segment]:
        """The moments of a span that no window to come can cover, and the segments that end with them."""
        over = span.ended and not span.awaited
        settled = inf if over else min([span.settled, *(one.start for one in span.awaited.values())])
        found: list[Segment] = []
        order = dict(self._order)
        for moment, names in self._moments(list(span.answered.values()), span.reached, order):
            if settled - moment.start <= _MARGIN:
                break
            labels = self._judge.labels(moment)
            whole = moment.end <= settled - _MARGIN
            if span.group is not None and not span.group.has_room_for(moment, labels):
                found.append(self._judge.segment(span.group, order, span.words))
                span.group = None
            if not whole:  # how long it is is not known, but that it begins here is
                break
            if span.group is None:
                span.group = Group(moment, labels, names)
            else:
                span.group.add(moment, names)
            span.reached = moment.end
        if over and span.group is not None:
            found.append(self._judge.segment(span.group, order, span.words))
            span.group = None
        for number, one in sorted(span.answered.items(), key=lambda item: item[1].window.start):
            if over or one.window.end < span.reached:  # the edge itself is needed
                self._order |= dict.fromkeys(one.given)
                del span.answered[number]
        return found

    def _moments(
        self, known: Sequence[_Answered], reached: float, order: dict[str, None]
    ) -> list[tuple[Moment, list[str]]]:
        """The moments of some windows of one span from ``reached`` on, each with the modalities of its windows."""
        known = sorted(known, key=lambda one: (one.window.start, one.window.number))
        for one in known:
            order.update(dict.fromkeys(one.given))
        if not known:
            return []
        windows = [Window(one.window.start, one.window.end, one.window.span) for one in known]
        answers = {task: np.array([one.outputs[task] for one in known]) for task in known[0].outputs}
        return [
            (moment, [name for i in moment.windows for name in known[i].given])
            for moment in smooth(windows, answers)
            if moment.start >= reached
        ]

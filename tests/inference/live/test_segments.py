"""Segments from answers that come in any order, against the segments of the whole."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.inference.judge import Judge
from affuse.inference.live.listener import Heard, Listener, ReadyWindow, SpanNews
from affuse.inference.live.segments import LiveSegments
from affuse.inference.timeline import Segment
from affuse.inference.windows import Window, lay_windows, smooth
from affuse.inference.words import Word
from affuse.media.sound import Sound, StreamName
from affuse.media.speech import Span

SPACES = {"emotion": ["anger", "neutral", "sadness"], "gender": ["female", "male"]}
JUDGE = Judge(SPACES, {"emotion": 0.5, "gender": 0.0})
NAMES = [(), ("text",), ("audio",), ("audio", "text")]
RATE = 100


def answers_to(
    windows: list[Window], seed: int, unknown: float = 0.1
) -> dict[Window, tuple[Any, tuple[str, ...]]]:
    """Few rows of probabilities, so that neighbours often say the same; some windows have no answer."""
    random = np.random.default_rng(seed)
    rows = {task: random.dirichlet(np.ones(len(space)), 3) for task, space in SPACES.items()}
    found: dict[Window, tuple[Any, tuple[str, ...]]] = {}
    for window in windows:
        p = {task: rows[task][random.integers(3) if random.random() < 0.3 else 0] for task in SPACES}
        nothing = random.random() < unknown
        names = () if nothing else NAMES[1 + random.integers(3)]
        found[window] = (
            {task: np.full_like(row, np.nan) if nothing else row for task, row in p.items()},
            names,
        )
    return found


def whole(windows: list[Window], answers: dict[Window, tuple[Any, tuple[str, ...]]]) -> list[Segment]:
    p = {task: np.array([answers[window][0][task] for window in windows]) for task in SPACES}
    return JUDGE.segments(smooth(windows, p), [answers[window][1] for window in windows], [])


def heard_of(spans: list[Span], window: float, hop: float, step: float) -> list[Heard]:
    """What listeners hear of several spans, each as a stream of its own, moved to where it lies."""
    found: list[Heard] = []
    number = 0
    for i, span in enumerate(spans):
        listener = Listener(RATE, window, hop, detect=False, early=True)
        samples = np.zeros(round((span.end - span.start) * RATE), np.float32)
        size = max(1, round(step * RATE))
        parts = [listener.hear(samples[at : at + size]) for at in range(0, len(samples), size)]
        count = 0
        for one in [*parts, listener.end()]:
            windows = [
                w._replace(
                    number=w.number + number, start=w.start + span.start, end=w.end + span.start, span=i
                )
                for w in one.windows
            ]
            count += len(windows)
            news = [
                n._replace(
                    span=i, settled=n.settled + span.start, last=None if n.last is None else n.last + number
                )
                for n in one.spans
            ]
            found.append(Heard(windows, news))
        number += count
    return found


@settings(max_examples=100, deadline=None)
@given(
    lengths=st.lists(st.tuples(st.floats(0.05, 2), st.floats(0.1, 9)), min_size=1, max_size=4),
    window=st.floats(0.3, 3),
    share=st.floats(0.1, 1),
    step=st.floats(0.02, 2),
    seed=st.integers(0, 1_000),
    late=st.sampled_from([0, 1, 4, 30]),
)
def test_final_segments_are_those_of_the_whole_in_whatever_order_answers_come(
    lengths: Any, window: float, share: float, step: float, seed: int, late: int
) -> None:
    spans, at = [], 0.0
    for pause, length in lengths:
        begin = round(at + pause, 2)
        spans.append(Span(begin, round(begin + length, 2)))
        at = spans[-1].end
    heard = heard_of(spans, window, window * share, step)
    last = {news.last for one in heard for news in one.spans}
    ready = [one for item in heard for one in item.windows]
    laid = sorted(
        (Window(*one[1:4]) for one in ready if one.sure or one.number in last),
        key=lambda one: (one.span, one.start),
    )
    answers = answers_to([Window(*one[1:4]) for one in ready], seed)
    live, random = LiveSegments(JUDGE), np.random.default_rng(seed)
    found: list[Segment] = []
    open_windows: list[ReadyWindow] = []
    for item in heard:
        live.expect(item)
        open_windows += item.windows
        while len(open_windows) > late:
            one = open_windows.pop(int(random.integers(len(open_windows))))
            live.answer(one.number, *answers[Window(*one[1:4])])
        found += live.sealed()
        for segment in live.partial():
            assert not found or segment.start >= found[-1].end - 1e-6
    for one in open_windows:
        live.answer(one.number, *answers[Window(*one[1:4])])
    found += live.sealed()
    assert live.partial() == []
    assert live.waiting == 0
    expected = whole(laid, answers)
    assert [one[:2] for one in found] == [one[:2] for one in expected]
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.modalities == theirs.modalities
        for task in SPACES:
            assert mine.answers[task].label == theirs.answers[task].label
            np.testing.assert_allclose(
                list(mine.answers[task].probabilities.values()),
                list(theirs.answers[task].probabilities.values()),
                atol=1.01e-4,
            )


def test_what_the_listener_lays_is_what_the_whole_is_laid_over() -> None:
    """``heard_of`` moves spans; this is that the move is right."""
    spans = [Span(0.5, 1.0), Span(2.0, 9.5)]
    heard = heard_of(spans, 2.0, 0.5, 0.1)
    last = {news.last for one in heard for news in one.spans}
    found = [one for item in heard for one in item.windows if one.sure or one.number in last]
    laid = lay_windows(spans, 2.0, 0.5)
    assert sorted(one[1:4] for one in found) == [pytest.approx(one) for one in laid]


def test_a_segment_is_final_as_soon_as_another_label_is_sure() -> None:
    listener, live = Listener(RATE, 2.0, 1.0, detect=False, early=False), LiveSegments(JUDGE)
    angry = {"emotion": np.array([1.0, 0, 0]), "gender": np.array([1.0, 0])}
    sad = {"emotion": np.array([0, 0, 1.0]), "gender": np.array([1.0, 0])}
    when: list[tuple[float, Segment]] = []
    for _ in range(100):  # 10 s, which change at 5 s
        heard = listener.hear(np.zeros(RATE // 10, np.float32))
        live.expect(heard)
        for window in heard.windows:
            live.answer(window.number, angry if window.start < 4.5 else sad)
        when += [(listener.seconds, segment) for segment in live.sealed()]
    assert [(segment.start, segment.end) for _, segment in when] == [(0.0, 6.0)]
    # the window that begins at 6 s is the last that can say something of what follows 6 s: it is heard at 8 s
    assert when[0][0] == pytest.approx(8.1)


def test_words_of_a_span_stand_in_its_segments() -> None:
    live = LiveSegments(JUDGE)
    sound = Sound(np.zeros(0, np.float32), RATE, 0, StreamName("x"))
    live.expect(Heard([ReadyWindow(0, 1.0, 3.0, 0, sound, True)], [SpanNews(0, 3.0, 0)]))
    live.say(0, [Word(1.1, 1.4, "good"), Word(2.8, 2.9, "day"), Word(3.1, 3.2, "not")])
    live.answer(0, {task: np.eye(len(space))[0] for task, space in SPACES.items()}, ("text",))
    (segment,) = live.sealed()
    assert (segment.text, segment.modalities) == ("good day", ("text",))


def test_memory_does_not_grow_over_an_hour() -> None:
    listener, live = Listener(RATE, 6.0, 3.0, detect=False), LiveSegments(JUDGE)
    answers = answers_to([Window(0, 1, 0)] * 1, 0, unknown=0)[Window(0, 1, 0)][0]
    block = np.zeros(RATE // 2, np.float32)
    held: list[int] = []
    tracemalloc.start()
    try:
        for second in range(3_600):
            for _ in range(2):
                heard = listener.hear(block.copy())
                live.expect(heard)
                for window in heard.windows:
                    live.answer(window.number, answers, ("audio",))
                live.sealed()
            if second % 600 == 599:
                live.partial()
                held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert held[-1] < held[0] + 20_000

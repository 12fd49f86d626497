"""Windows while the sound goes on, against those that are laid over the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.inference.live.kept_sound import KeptSound
from affuse.inference.live.listener import Heard, Listener, ReadyWindow, SpanNews
from affuse.inference.windows import lay_windows
from affuse.media.speech import RATE, Span, find_speech
from voices import recording


def listen(listener: Listener, blocks: list[np.ndarray]) -> list[Heard]:
    return [*(listener.hear(block) for block in blocks), listener.end()]


def counted(heard: list[Heard]) -> list[ReadyWindow]:
    """The windows that count in the end, in order of their starts."""
    last = {news.last for one in heard for news in one.spans}
    found = [window for one in heard for window in one.windows if window.sure or window.number in last]
    return sorted(found, key=lambda window: (window.span, window.start))


@settings(max_examples=60, deadline=None)
@given(
    length=st.floats(0.001, 12),
    window=st.floats(0.2, 4),
    share=st.floats(0.05, 1),
    size=st.integers(1, 5_000),
    early=st.booleans(),
    whole=st.booleans(),
)
def test_windows_of_a_stream_are_those_of_the_whole(
    length: float, window: float, share: float, size: int, early: bool, whole: bool
) -> None:
    rate = 1_000
    wave = np.arange(max(1, round(length * rate)), dtype=np.float32)
    listener = Listener(rate, window, window * share, detect=False, early=early, whole=whole)
    heard = listen(listener, [wave[at : at + size] for at in range(0, len(wave), size)])
    found = counted(heard)
    expected = lay_windows([Span(0, len(wave) / rate)], window, window * share)
    assert [one[1:4] for one in found] == expected
    for one in found:
        first = round(one.start * rate)
        assert one.sound.first == first
        np.testing.assert_array_equal(one.sound.samples, wave[first : max(first + 1, round(one.end * rate))])
    assert early or all(window.sure for one in heard for window in one.windows)


@pytest.fixture(scope="module")
def talk() -> np.ndarray:
    parts = 0.3, ("neu", 5.0), 0.5, ("ang", 0.4), 0.6, ("sad", 2.0), 0.2, ("hap", 7.5), 0.7
    wave = recording(*parts)
    return wave + np.random.default_rng(0).normal(0, 1e-3, len(wave)).astype(np.float32)


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("size", [320, 1_111, RATE * 4])
def test_windows_lie_in_speech_and_the_promises_hold(talk: np.ndarray, early: bool, size: int) -> None:
    spans = find_speech([talk], RATE)
    assert len(spans) >= 2
    expected = lay_windows(spans, 2.0, 0.7)
    listener = Listener(RATE, 2.0, 0.7, early=early)
    heard = listen(listener, [talk[at : at + size] for at in range(0, len(talk), size)])
    assert [one[1:4] for one in counted(heard)] == expected
    assert [window.number for one in heard for window in one.windows] == list(
        range(sum(len(one.windows) for one in heard))
    )
    settled: dict[int, float] = {}
    ended: list[SpanNews] = []
    sure: set[int] = set()
    for one in heard:
        for window in one.windows:
            if window.sure:
                assert window.start >= settled.get(window.span, 0.0) - 1e-6
                sure.add(window.number)
        for news in one.spans:
            assert news.settled >= settled.get(news.span, 0.0)
            settled[news.span] = news.settled
            ended += [news] if news.last is not None else []
    assert [news.whole for news in ended] == spans
    if size == 320:  # the last window was asked for while its pause was not decided
        assert any(news.last not in sure for news in ended)


def test_a_span_that_is_asked_for_as_a_whole_comes_with_its_sound(talk: np.ndarray) -> None:
    listener = Listener(RATE, 2.0, 1.0, whole=True, early=False)
    heard = listen(listener, [talk[at : at + 320] for at in range(0, len(talk), 320)])
    for one in heard:
        assert not one.windows or one.spans
    for news in (news for one in heard for news in one.spans if news.last is not None):
        assert news.sound is not None
        assert news.whole is not None
        first = round(news.whole.start * RATE)
        np.testing.assert_array_equal(news.sound.samples, talk[first : round(news.whole.end * RATE)])


def test_only_what_a_window_may_ask_for_is_kept(talk: np.ndarray) -> None:
    hour = Listener(1_000, 3.0, 1.5, detect=False)
    block, most = np.zeros(20, np.float32), 0
    for _ in range(3_600 * 50):
        hour.hear(block)
        most = max(most, hour.kept)
    assert most <= 3_000 + 3 * len(block)
    spoken = Listener(RATE, 3.0, 1.5)
    most = 0
    for _ in range(8):
        for at in range(0, len(talk), 1_600):
            spoken.hear(talk[at : at + 1_600])
            most = max(most, spoken.kept)
    # a window, and the pause behind it that is not decided
    assert most <= 3.6 * RATE
    silent = Listener(48_000, 3.0, 1.5)
    for _ in range(100):
        silent.hear(np.zeros(4_800, np.float32))
        assert silent.kept < 48_000


@given(st.lists(st.integers(0, 7), max_size=30), st.data())
def test_kept_sound_is_the_sound(lengths: Any, data: Any) -> None:
    wave = np.arange(sum(lengths), dtype=np.float32)
    kept, at = KeptSound(), 0
    for length in lengths:
        kept.add(wave[at : at + length])
        at += length
        kept.give_up(data.draw(st.integers(0, at)))
        first = data.draw(st.integers(kept.first, at))
        last = data.draw(st.integers(first, at))
        np.testing.assert_array_equal(kept.cut(first, last), wave[first:last])
        with pytest.raises(ValueError, match="samples"):
            kept.cut(first, at + 1)

"""Windows over spans, and the mean over those that cover a moment."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.errors import AffuseError
from affuse.inference.windows import Window, check_lengths, lay_windows, smooth
from affuse.media.speech import Span

lengths = st.floats(0.25, 60)


def test_a_short_span_is_one_window_and_a_long_one_ends_with_one() -> None:
    found = lay_windows([Span(1, 3), Span(10, 17)], window=3, hop=1.5)
    assert [(w.start, w.end, w.span) for w in found] == [
        (1, 3, 0), (10, 13, 1), (11.5, 14.5, 1), (13, 16, 1), (14, 17, 1),
    ]  # fmt: skip


def test_a_span_that_the_hop_divides_gets_no_window_twice() -> None:
    assert [w.start for w in lay_windows([Span(0, 6)], 3, 1.5)] == [0, 1.5, 3]


@given(st.lists(st.tuples(lengths, lengths), max_size=5), st.floats(0.3, 5), st.floats(0.1, 1))
def test_windows_cover_every_span_and_nothing_else(parts: Any, window: Any, share: Any) -> None:
    spans, at = [], 0.0
    for gap, length in parts:
        spans.append(Span(at + gap, at + gap + length))
        at += gap + length
    found = lay_windows(spans, window, window * share)
    assert [w.start for w in found] == sorted(w.start for w in found)
    for i, span in enumerate(spans):
        own = [w for w in found if w.span == i]
        assert own[0].start == span.start
        assert own[-1].end == pytest.approx(span.end)
        for w in own:
            assert w.end - w.start <= window + 1e-6
            assert span.start - 1e-6 <= w.start < w.end <= span.end + 1e-6
        for before, after in pairwise(own):
            assert before.start < after.start <= before.start + window * share + 1e-5 <= before.end + 2e-5


def test_smoothing_is_the_mean_over_a_fine_grid() -> None:
    random = np.random.default_rng(0)
    windows = lay_windows([Span(0.5, 1.2), Span(2, 9.3)], 3, 1)
    p = random.dirichlet([1, 1, 1], len(windows))
    p[3] = np.nan  # a window without an answer counts as none
    moments = smooth(windows, {"emotion": p})
    for t in np.arange(0, 10, 0.01) + 0.003:
        over = [i for i, w in enumerate(windows) if w.start <= t < w.end and i != 3]
        of_t = [m for m in moments if m.start <= t < m.end]
        assert len(of_t) == bool(over)
        if over:
            assert of_t[0].windows == tuple(over)
            np.testing.assert_allclose(of_t[0].outputs["emotion"], p[over].mean(axis=0))


def test_a_moment_that_no_answered_window_covers_is_left_out() -> None:
    windows = [Window(0, 1, 0), Window(1, 2, 0)]
    moments = smooth(windows, {"emotion": np.array([[np.nan, np.nan], [0.2, 0.8]])})
    assert [(m.start, m.end) for m in moments] == [(1, 2)]


@pytest.mark.parametrize(
    ("window", "hop"), [(0.1, 0.1), (2, 0), (2, 3), (float("nan"), 1), (2, float("nan"))]
)
def test_lengths_that_lay_no_windows_are_refused(window: float, hop: float) -> None:
    with pytest.raises(AffuseError, match=r"^(window|hop) takes"):
        check_lengths(window, hop)

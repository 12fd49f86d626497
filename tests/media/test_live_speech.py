"""Speech while the sound goes on, against the same sound as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from silero_vad import get_speech_timestamps_from_probs

from affuse.media.live_speech import LiveSpeech, SpanFinder
from affuse.media.speech import FRAME, LEAST_PAUSE_MS, RATE, Span, SpeechFrames, find_speech
from voices import recording

# near the thresholds, where rules differ, and in runs, so that there are spans and pauses
probability = st.sampled_from([0.0, 0.2, 0.349, 0.35, 0.351, 0.499, 0.5, 0.501, 0.8, 1.0])
runs = st.lists(st.tuples(probability, st.integers(1, 14)), max_size=25)


def by_silero(probabilities: list[float], length: int) -> list[tuple[int, int]]:
    found = get_speech_timestamps_from_probs(
        probabilities, min_silence_duration_ms=LEAST_PAUSE_MS, audio_length_samples=length
    )
    return [(one["start"], one["end"]) for one in found]


@settings(max_examples=300, deadline=None)
@given(runs, st.integers(1, FRAME), st.data())
def test_spans_are_those_of_silero_whatever_comes_together(parts: Any, rest: int, data: Any) -> None:
    probabilities = [p for p, count in parts for _ in range(count)]
    length = max(0, (len(probabilities) - 1) * FRAME + rest)
    finder, found, at = SpanFinder(), [], 0
    while at < len(probabilities):
        size = data.draw(st.integers(1, 9))
        found += finder.add(probabilities[at : at + size])
        at += size
    assert found + finder.end(length) == by_silero(probabilities, length)


@settings(max_examples=200, deadline=None)
@given(runs, runs)
def test_what_is_said_of_open_speech_holds_whatever_comes(parts: Any, more: Any) -> None:
    first = [p for p, count in parts for _ in range(count)]
    rest = [p for p, count in more for _ in range(count)]
    finder = SpanFinder()
    finder.add(first)
    heard = len(first) * FRAME
    said, quiet = finder.open(heard), finder.quiet_until
    before = len(by_silero(first, heard)) - bool(said and said.sure)
    for later in (rest, []):
        spans = by_silero(first + later, heard + len(later) * FRAME)
        begun = [span for span in spans[before:] if span[0] / RATE < quiet]
        if said is None:
            assert not begun
        elif said.sure:
            start, end = spans[before]
            assert start / RATE == said.start
            assert end / RATE >= said.until
        else:
            assert all(start / RATE >= said.start for start, _ in spans[before:])


@settings(max_examples=100, deadline=None)
@given(runs)
def test_a_pause_that_goes_on_ends_the_span_where_it_was_said_to_end(parts: Any) -> None:
    finder = SpanFinder()
    finder.add([p for p, count in parts for _ in range(count)])
    said = finder.open(finder.frames * FRAME)
    if said is not None and said.sure and said.pause:
        assert [(start / RATE, end / RATE) for start, end in finder.add([0.0] * 11)] == [
            (said.start, said.until)
        ]


@pytest.fixture(scope="module")
def talk() -> np.ndarray:
    wave = recording(0.4, ("neu", 3.0), 0.5, ("ang", 0.4), 0.35, ("sad", 2.0), 0.2, ("hap", 2.5))
    return wave + np.random.default_rng(0).normal(0, 1e-3, len(wave)).astype(np.float32)


def blocks_of(wave: np.ndarray, random: np.random.Generator) -> list[np.ndarray]:
    edges = np.cumsum(random.integers(1, 3_000, 2 + len(wave) // 1_000))
    return np.split(wave, edges[edges < len(wave)])


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_spans_are_those_of_the_whole_at_every_rate_in_blocks_of_every_length(
    talk: np.ndarray, rate: int
) -> None:
    wave = soxr.resample(talk, RATE, rate)
    expected = find_speech([wave], rate)
    assert len(expected) >= 2
    for seed in range(2):
        speech = LiveSpeech(rate)
        found: list[Span] = []
        for block in [*blocks_of(wave, np.random.default_rng(seed)), wave[:0]]:
            found += speech.hear(block)
        assert found + speech.end() == expected


def test_frames_do_not_depend_on_how_many_run_together(talk: np.ndarray) -> None:
    def run(least: int, size: int) -> np.ndarray:
        frames = SpeechFrames(RATE, least)
        found = [p for at in range(0, len(talk), size) for p in frames.hear(talk[at : at + size])]
        return np.concatenate([*found, *frames.end()])

    assert np.array_equal(run(1, 320), run(512, len(talk)))
    assert np.array_equal(run(3, 100), run(512, 7_000))


def test_silence_nothing_and_no_detection() -> None:
    assert LiveSpeech(RATE).end() == []
    quiet = LiveSpeech(RATE)
    assert quiet.hear(np.zeros(RATE, np.float32)) == []
    assert quiet.end() == []
    assert quiet.open is None
    whole = LiveSpeech(8_000, detect=False)
    assert whole.hear(np.zeros(2_000, np.float32)) == []
    assert whole.open is not None
    assert whole.open.until == 0.25
    assert whole.end() == [Span(0.0, 0.25)]
    assert LiveSpeech(8_000, detect=False).end() == []

"""Speech found in a stream, against the package's own loop and against a known truth."""

import numpy as np
import pytest
import soxr
import torch

from affuse.media.speech import LEAST_PAUSE_MS, RATE, Span, SpeechDetector, find_speech
from voices import recording


@pytest.fixture(scope="module")
def wave():
    return recording(1.0, ("neu", 2.5), 1.5, ("ang", 20.0), 2.0, ("sad", 3.0), 1.0)


def blocks_of(wave: np.ndarray, sizes: int, seed: int = 0):
    random, at = np.random.default_rng(seed), 0
    while at < len(wave):
        size = int(random.integers(1, sizes))
        yield wave[at : at + size]
        at += size


def test_blocks_of_any_size_give_the_packages_own_probabilities_and_spans(wave: np.ndarray) -> None:
    from silero_vad import get_speech_timestamps, load_silero_vad

    network = load_silero_vad(onnx=True)  # frame by frame, as it is documented
    frames = np.pad(wave, (0, -len(wave) % 512)).reshape(-1, 512)
    expected = [float(network(torch.from_numpy(frame), RATE)) for frame in frames]
    detector = SpeechDetector(RATE)
    for block in blocks_of(wave, 40_000):
        detector.hear(block)
    spans = detector.spans()
    np.testing.assert_allclose(np.concatenate(detector._found), expected, atol=1e-4)
    network.reset_states()
    own = get_speech_timestamps(torch.from_numpy(wave), network, min_silence_duration_ms=LEAST_PAUSE_MS)
    assert spans == [Span(one["start"] / RATE, one["end"] / RATE) for one in own]


def test_speech_is_where_it_was_put(wave: np.ndarray) -> None:
    """Generated voices pause and fade out, so spans may be several and end early; silences have none."""
    spans = find_speech([wave], RATE)
    for start, end in ((1.0, 3.5), (5.0, 25.0), (27.0, 30.0)):
        inside = [s for s in spans if s.start < end and s.end > start]
        assert inside[0].start == pytest.approx(start, abs=0.25)
        assert inside[-1].end == pytest.approx(end, abs=0.6)
        assert all(start - 0.15 < s.start and s.end < end + 0.15 for s in inside)
        assert sum(s.end - s.start for s in inside) > 0.6 * (end - start)


def test_another_rate_is_resampled_in_the_stream(wave: np.ndarray) -> None:
    spans = find_speech(blocks_of(soxr.resample(wave, RATE, 44_100), 30_000), 44_100)
    expected = find_speech([wave], RATE)
    np.testing.assert_allclose(np.array(spans), np.array(expected), atol=0.07)


def test_silence_and_nothing_have_no_speech() -> None:
    assert find_speech([np.zeros(RATE * 3, np.float32)], RATE) == []
    assert find_speech([], RATE) == []
    assert find_speech([np.zeros(100, np.float32)], 8_000) == []


def test_torchs_threads_stay_as_they_were() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        find_speech([np.zeros(600, np.float32)], RATE)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)

"""The paired difference of a mean over utterances: by loops, and by simulating speakers who differ."""

import numpy as np
import pytest

from affuse.evaluation.differences import paired_mean_difference
from affuse.evaluation.resampling import draw_speakers


def test_value_and_error_by_plain_loops() -> None:
    random = np.random.default_rng(3)
    counts = random.integers(1, 9, size=(6, 2))
    sums = random.normal(size=(6, 2)) * counts
    found = paired_mean_difference(sums, counts, resamples=50)
    value = sum(sum(sums[s][t] for s in range(6)) / sum(counts[s][t] for s in range(6)) for t in range(2))
    assert found.value == pytest.approx(value)
    again = []
    for times in draw_speakers(6, 50, 0):
        total = 0.0
        for t in range(2):
            total += sum(times[s] * sums[s][t] for s in range(6)) / sum(
                times[s] * counts[s][t] for s in range(6)
            )
        again.append(total)
    assert found.error == pytest.approx(np.std(again, ddof=1))
    assert found.df == 5


def test_a_task_that_two_speakers_have_is_known_as_two_speakers_know_it() -> None:
    counts = np.array([[3, 2], [3, 2], [3, 0], [3, 0]])
    found = paired_mean_difference(counts * np.array([[0.5, 0.2], [0.4, 0.3], [0.6, 0], [0.5, 0]]), counts)
    assert found.value == pytest.approx(0.75)
    assert found.df == 1
    assert not np.isnan(found.error)
    alone = paired_mean_difference(np.array([[1.5, 0.4], [1.2, 0.0]]), np.array([[3, 2], [3, 0]]))
    assert alone.value == pytest.approx(0.65)
    assert np.isnan([alone.low, alone.high, alone.p]).all()  # one speaker has no spread


def test_one_speaker_gives_no_interval() -> None:
    found = paired_mean_difference(np.array([[1.0]]), np.array([[4]]))
    assert found.value == 0.25
    assert np.isnan([found.low, found.high, found.p]).all()


@pytest.mark.parametrize("labelled", [2, 3, 6])
def test_no_false_alarms_where_few_speakers_have_a_task(labelled: int) -> None:
    """No true difference; ten speakers have the first task, ``labelled`` of them the second."""
    random = np.random.default_rng(labelled)
    alarms = 0
    for _ in range(400):
        counts = random.integers(10, 40, size=(10, 2))
        counts[labelled:, 1] = 0
        means = random.normal(0, 0.2, size=(10, 2))
        sums = counts * means + np.sqrt(counts) * random.normal(size=(10, 2))
        alarms += paired_mean_difference(sums, counts, resamples=200).p < 0.05
    assert alarms / 400 < 0.08


@pytest.mark.parametrize("speakers", [6, 10])
def test_intervals_cover_the_truth_95_times_in_100(speakers: int) -> None:
    """True mean 0.3; speakers deviate from it by 0.2, utterances by 1; numbers of utterances differ."""
    random = np.random.default_rng(speakers)
    covered = 0
    for _ in range(600):
        counts = random.integers(10, 40, size=(speakers, 1))
        means = random.normal(0.3, 0.2, size=(speakers, 1))
        sums = counts * means + np.sqrt(counts) * random.normal(size=(speakers, 1))
        found = paired_mean_difference(sums, counts, resamples=200)
        covered += found.low <= 0.3 <= found.high
    assert 0.92 < covered / 600 < 0.98

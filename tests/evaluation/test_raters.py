"""Raters' agreement, each formula a second way: vote by vote, pair by pair."""

from __future__ import annotations

import numpy as np
import pytest

from affuse.evaluation.raters import by_agreement, human_ceiling, krippendorff_alpha, leave_one_rater_out

# Krippendorff's own example (2011, Computing Krippendorff's Alpha-Reliability, part C): four observers, twelve
# units, values 1 to 5, 0 for none. He gives 0.743 (nominal) and 0.849 (interval).
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
)
VOTES = np.stack([(value == PUBLISHED).sum(axis=0) for value in range(1, 6)], axis=1)
RATINGS = np.arange(1.0, 6.0)


def _lists(votes: np.ndarray) -> list[list[int]]:
    return [np.repeat(np.arange(len(row)), row).tolist() for row in votes]


def _alpha_by_pairs(votes: np.ndarray, values: np.ndarray | None) -> float:
    """The mean difference within units over that among all votes, by looking at every pair."""

    def differ(a: int, b: int) -> float:
        return float(a != b) if values is None else float(values[a] - values[b]) ** 2

    units = [unit for unit in _lists(votes) if len(unit) >= 2]
    pool = [vote for unit in units for vote in unit]
    within = 0.0
    for unit in units:
        pairs = [differ(a, b) for i, a in enumerate(unit) for j, b in enumerate(unit) if i != j]
        within += len(unit) * sum(pairs) / len(pairs)
    among = [differ(a, b) for i, a in enumerate(pool) for j, b in enumerate(pool) if i != j]
    return 1 - within / len(pool) / (sum(among) / len(among))


def test_alpha_is_the_published_one() -> None:
    assert round(krippendorff_alpha(VOTES), 3) == 0.743
    assert round(krippendorff_alpha(VOTES, RATINGS), 3) == 0.849


@pytest.mark.parametrize("values", [None, np.array([1.0, 1.5, 4.0])])
def test_alpha_is_that_of_every_pair_of_votes(values: np.ndarray | None) -> None:
    votes = np.random.default_rng(3).integers(0, 4, (20, 3))
    assert krippendorff_alpha(votes, values) == pytest.approx(_alpha_by_pairs(votes, values), abs=1e-12)


def test_alpha_is_unknown_without_pairs_or_without_a_second_label() -> None:
    assert np.isnan(krippendorff_alpha(np.array([[1, 0], [0, 1]])))
    assert np.isnan(krippendorff_alpha(np.array([[3, 0], [2, 0]])))


def test_one_rater_against_the_others_is_that_of_leaving_each_out() -> None:
    votes = np.random.default_rng(5).integers(0, 4, (60, 4))
    confusion = leave_one_rater_out(votes)
    for row, unit in zip(confusion, _lists(votes), strict=True):
        expected = np.zeros((4, 4))
        if len(unit) >= 2:
            for i, vote in enumerate(unit):
                others = unit[:i] + unit[i + 1 :]
                most = max(map(others.count, others))
                tied = [label for label in range(4) if others.count(label) == most]
                for label in tied:
                    expected[label, vote] += 1 / len(tied) / len(unit)
        np.testing.assert_allclose(row, expected, atol=1e-12)


def test_the_ceiling_is_the_mean_over_utterances_and_its_interval_is_of_speakers() -> None:
    draw = np.random.default_rng(7)
    sure = np.repeat([0.95, 0.6, 0.9, 0.7, 0.85, 0.8], 40)  # of each speaker's utterances
    votes = np.stack([draw.multinomial(3, [p, (1 - p) / 2, (1 - p) / 2]) for p in sure])
    speakers = np.repeat(list("abcdef"), 40).tolist()
    mixed = draw.permutation(speakers).tolist()
    ceiling, alike = human_ceiling(votes, speakers), human_ceiling(votes, mixed)
    right = np.trace(leave_one_rater_out(votes), axis1=1, axis2=2)
    assert ceiling.value == pytest.approx(right.mean()) == pytest.approx(alike.value)
    assert ceiling.high - ceiling.low > alike.high - alike.low


def test_a_ceiling_is_unknown_where_nobody_has_a_second_vote() -> None:
    assert np.isnan(human_ceiling(np.array([[1, 0], [0, 1]]), ["a", "b"]).value)


def test_bands_hold_every_utterance_with_two_votes_once() -> None:
    votes = np.array([[4, 0, 0], [0, 3, 0], [2, 1, 0], [2, 2, 0], [2, 1, 1], [1, 0, 0], [0, 0, 0]])
    right = np.array([True, False, True, False, False, True, True])
    bands = by_agreement(votes, right)
    assert [(band.utterances, band.accuracy) for band in bands] == [(2, 0.5), (1, 1.0), (2, 0.0)]


@pytest.mark.parametrize("wrong", [[[1.5, 0]], [[-1, 2]], [[np.nan, 1]], [1, 2]])
def test_votes_must_be_counts(wrong: list) -> None:
    for function in (krippendorff_alpha, leave_one_rater_out):
        with pytest.raises(ValueError, match="votes must be whole numbers"):
            function(np.array(wrong))


def test_ratings_speakers_and_answers_must_fit_the_votes() -> None:
    votes = np.array([[2, 0], [0, 2]])
    with pytest.raises(ValueError, match="one finite value"):
        krippendorff_alpha(votes, np.array([1.0]))
    with pytest.raises(ValueError, match="speaker of each utterance"):
        human_ceiling(votes, ["a"])
    with pytest.raises(ValueError, match="one answer for each"):
        by_agreement(votes, np.array([True]))

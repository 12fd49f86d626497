"""Probabilities against votes, each metric a second way: scipy, scikit-learn, plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy
from sklearn.metrics import f1_score, log_loss

from affuse.evaluation.calibration import LEAST
from affuse.evaluation.soft import jensen_shannon, measure_soft, soft_cross_entropy, thresholded_macro_f1

DRAW = np.random.default_rng(11)
COUNTS = DRAW.multinomial(5, [0.4, 0.3, 0.2, 0.1], 200)
SHARES = COUNTS / 5
ANSWERS = DRAW.dirichlet([1, 1, 1, 1], 200)


def test_cross_entropy_is_that_of_every_vote_on_its_own() -> None:
    """One vote, one label: the mean over all votes of an ordinary log loss."""
    utterance, label = np.repeat(np.arange(200), 5), np.concatenate([np.repeat(range(4), c) for c in COUNTS])
    expected = log_loss(label, ANSWERS[utterance], labels=range(4))
    assert soft_cross_entropy(SHARES, ANSWERS).mean() == pytest.approx(expected, rel=1e-9)


def test_cross_entropy_is_entropy_and_divergence() -> None:
    expected = entropy(SHARES, axis=1) + entropy(SHARES, ANSWERS, axis=1)
    np.testing.assert_allclose(soft_cross_entropy(SHARES, ANSWERS), expected, rtol=1e-9)


def test_a_probability_of_zero_costs_what_the_tables_decimals_can_tell() -> None:
    assert soft_cross_entropy(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])) == pytest.approx(
        -math.log(LEAST)
    )


def test_jensen_shannon_is_scipys_distance_squared() -> None:
    expected = jensenshannon(SHARES, ANSWERS, axis=1, base=2) ** 2
    np.testing.assert_allclose(jensen_shannon(SHARES, ANSWERS), expected, atol=1e-12)
    np.testing.assert_allclose(jensen_shannon(ANSWERS, SHARES), jensen_shannon(SHARES, ANSWERS), atol=1e-12)
    assert jensen_shannon(ANSWERS, ANSWERS).max() < 1e-12


def test_thresholded_f1_is_scikit_learns_of_labels_above_one_in_classes() -> None:
    on = np.array([[4 * count > 5 for count in row] for row in COUNTS])
    expected = f1_score(on, ANSWERS > 0.25, average="macro")
    assert thresholded_macro_f1(SHARES, ANSWERS) == pytest.approx(expected, abs=1e-12)


def test_a_share_of_just_one_in_classes_is_off_and_a_class_that_is_never_on_counts_zero() -> None:
    shares = np.array([[0.5, 0.25, 0.25, 0.0], [1.0, 0.0, 0.0, 0.0]])
    assert thresholded_macro_f1(shares, shares) == 0.25
    six = np.full((1, 6), 1 / 6)
    assert thresholded_macro_f1(six, six) == 0.0


def test_counts_and_shares_measure_alike_and_rows_without_votes_are_left_out() -> None:
    counts = np.vstack([COUNTS.astype(float), np.zeros((1, 4)), np.full((1, 4), np.nan)])
    answers = np.vstack([ANSWERS, ANSWERS[:2]])
    found = measure_soft(counts, answers)
    assert found.n == 200
    assert found == pytest.approx(measure_soft(SHARES, ANSWERS))
    assert found.entropy < found.soft_cross_entropy
    assert found.entropy == pytest.approx(entropy(SHARES, axis=1).mean())


def test_shapes_and_votes_are_needed() -> None:
    with pytest.raises(ValueError, match="both be"):
        measure_soft(COUNTS, ANSWERS[:, :3])
    with pytest.raises(ValueError, match="no utterance with votes"):
        measure_soft(np.zeros((2, 4)), ANSWERS[:2])

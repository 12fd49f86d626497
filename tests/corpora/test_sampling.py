from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.corpora.splits.sampling import choose_groups, deal, deal_groups, imbalance, sample

LABELS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=4, max_size=40)


@given(LABELS, st.integers(2, 6), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_deal_is_even_in_all_and_in_every_label(labels: list[str], folds: int, seed: int) -> None:
    ids = [f"u{i}" for i in range(len(labels))]
    fold = deal(ids, labels, folds, seed).tolist()
    for label in {*labels, None}:
        counts = Counter(f for f, own in zip(fold, labels, strict=True) if label in (own, None))
        sizes = [counts[f] for f in range(folds)]
        assert max(sizes) - min(sizes) <= 1


@given(LABELS, st.floats(0.05, 0.95), st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_sample_takes_the_share_of_every_label(labels: list[str], fraction: float, seed: int) -> None:
    ids = [f"u{i}" for i in range(len(labels))]
    taken = sample(ids, labels, fraction, seed, "test")
    assert taken.sum() == round(fraction * len(labels))
    for label, count in Counter(labels).items():
        got = sum(t for t, own in zip(taken, labels, strict=True) if own == label)
        assert abs(got - fraction * count) < 1 + 1e-6


def test_another_seed_or_purpose_deals_otherwise() -> None:
    ids, labels = [f"u{i}" for i in range(60)], ["a", "b"] * 30
    first = sample(ids, labels, 0.5, 0, "test")
    assert not np.array_equal(first, sample(ids, labels, 0.5, 1, "test"))
    assert not np.array_equal(first, sample(ids, labels, 0.5, 0, "validation"))
    assert not np.array_equal(deal(ids, labels, 5, 0), deal(ids, labels, 5, 1))


def imbalance_by_loops(groups: list[str], labels: list[str], chosen: set[str], fraction: float) -> float:
    part = [label for group, label in zip(groups, labels, strict=True) if group in chosen]
    score = abs(len(part) / len(labels) - fraction)
    for label in set(labels):
        score += abs(part.count(label) / len(part) - labels.count(label) / len(labels))
        score += (label not in part) + 10 * (part.count(label) == labels.count(label))
    return score


@given(
    st.lists(st.tuples(st.sampled_from("pqrst"), st.sampled_from("abc")), min_size=6, max_size=40),
    st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_one_chosen_group_is_the_best_there_is(rows: list[tuple[str, str]], seed: int) -> None:
    groups, labels = [list(column) for column in zip(*rows, strict=True)]
    names = sorted(set(groups))
    if len(names) < 2:
        return
    chosen = choose_groups(groups, labels, 1, 1 / len(names), seed, "validation")
    best = min(imbalance_by_loops(groups, labels, {name}, 1 / len(names)) for name in names)
    assert len(chosen) == 1
    assert imbalance_by_loops(groups, labels, chosen, 1 / len(names)) == pytest.approx(best, abs=1e-8)


def test_two_chosen_groups_beat_nearly_all_pairs() -> None:
    generator = np.random.default_rng(0)
    groups = generator.choice(list("pqrstuvw"), 300).tolist()
    labels = [generator.choice(["a", "b", "c"], p=p) for p in generator.dirichlet([1, 1, 1], 300)]
    chosen = choose_groups(groups, labels, 2, 0.25, 0, "validation")
    scores = sorted(
        imbalance_by_loops(groups, labels, set(pair), 0.25) for pair in combinations("pqrstuvw", 2)
    )
    assert imbalance_by_loops(groups, labels, chosen, 0.25) <= scores[2] + 1e-8


def test_imbalance_by_hand() -> None:
    # part: 1 of 2 a, 0 of 2 b. Shares (1, 0) against (1/2, 1/2): 1. Size 1/4, wanted 1/2: 1/4. No b: 1
    assert imbalance(np.array([1.0, 0.0]), np.array([2.0, 2.0]), 0.5) == pytest.approx(2.25)
    # all of a and none of b: 1 + |1/2 - 1/2| + 1 + 10
    assert imbalance(np.array([2.0, 0.0]), np.array([2.0, 2.0]), 0.5) == pytest.approx(12)


@given(
    st.lists(st.tuples(st.sampled_from("pqrstuv"), st.sampled_from("ab")), min_size=8, max_size=40),
    st.integers(0, 9),
)
@settings(max_examples=50, deadline=None)
def test_grouped_folds_hold_whole_groups_and_are_never_empty(rows: list[tuple[str, str]], seed: int) -> None:
    groups, labels = [list(column) for column in zip(*rows, strict=True)]
    folds = min(3, len(set(groups)))
    if folds < 2:
        return
    fold = deal_groups(groups, labels, folds, seed)
    assert sorted(set(fold.tolist())) == list(range(folds))
    assert all(len(set(fold[np.asarray(groups) == group])) == 1 for group in set(groups))

"""The ceilings are exact: counted again with plain loops, and met by simulated ideal observers."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.corpora.generated.ceilings import (
    CLASS_SETS,
    all_ceilings,
    best_answer,
    ceiling,
    subsets,
)
from affuse.corpora.generated.displays import (
    DISPLAYS,
    LABEL_MIX,
    MAIN,
    MODALITIES,
    hidden_shares,
    shown_given,
)

CASES = [(name, subset) for name in CLASS_SETS for subset in subsets()]


@pytest.mark.parametrize("label", LABEL_MIX)
@pytest.mark.parametrize("modality", MODALITIES)
def test_each_modality_shows_something_with_probability_one(modality: str, label: str) -> None:
    shown = shown_given(modality, label)
    assert shown.shape == (len(DISPLAYS),)
    assert (shown >= 0).all()
    assert shown.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("name", "subset"), CASES)
def test_ceiling_is_the_sum_over_shown_combinations_of_the_largest_posterior(
    name: str, subset: tuple[Any, ...]
) -> None:
    classes = CLASS_SETS[name]
    total = sum(LABEL_MIX[label] for label in classes)
    accuracy = balanced = 0.0
    for shown in product(range(len(DISPLAYS)), repeat=len(subset)):
        weight: dict[str, float] = {}
        recall: dict[str, float] = {}
        for target in set(classes.values()):
            members = [label for label in classes if classes[label] == target]
            size = sum(LABEL_MIX[label] for label in members)
            weight[target] = recall[target] = 0.0
            for label in members:
                chance = 1.0
                for modality, display in zip(subset, shown, strict=True):
                    chance *= shown_given(modality, label)[display]
                weight[target] += LABEL_MIX[label] / total * chance
                recall[target] += LABEL_MIX[label] / size * chance
        accuracy += max(weight.values())
        balanced += max(recall.values()) / len(recall)
    found = ceiling(classes, subset)
    assert found["emotion"] == pytest.approx(accuracy, abs=1e-12)
    assert found["emotion_bacc"] == pytest.approx(balanced, abs=1e-12)


@pytest.mark.parametrize("subset", subsets())
def test_a_simulated_ideal_observer_reaches_the_ceiling(subset: tuple[Any, ...]) -> None:
    classes, draws = CLASS_SETS["4+exc"], 60_000
    rng = np.random.default_rng(1)
    labels = list(classes)
    shares = np.array([LABEL_MIX[label] for label in labels], dtype=float)
    meant = rng.choice(len(labels), draws, p=shares / shares.sum())
    shown = np.empty((draws, len(subset)), dtype=int)
    for index, label in enumerate(labels):
        rows = np.flatnonzero(meant == index)
        for column, modality in enumerate(subset):
            shown[rows, column] = rng.choice(len(DISPLAYS), len(rows), p=shown_given(modality, label))
    answers = {
        tuple(row): best_answer(classes, {m: DISPLAYS[d] for m, d in zip(subset, row, strict=True)})
        for row in np.unique(shown, axis=0)
    }
    right = np.mean([answers[tuple(row)] == classes[labels[i]] for row, i in zip(shown, meant, strict=True)])
    expected = ceiling(classes, subset)["emotion"]
    assert abs(right - expected) < 4 * np.sqrt(expected * (1 - expected) / draws)


def test_no_rule_does_better_than_the_ceiling() -> None:
    # every rule that maps what is seen to a class, for two modalities, is a column choice: try many at random
    classes, subset = CLASS_SETS["4+exc"], ("audio", "video")
    from affuse.corpora.generated.ceilings import joint

    _, table = joint(classes, subset)
    rng = np.random.default_rng(0)
    rules = rng.integers(len(table), size=(2000, table.shape[1]))
    accuracies = table[rules, np.arange(table.shape[1])].sum(axis=1)
    assert accuracies.max() < ceiling(classes, subset)["emotion"]


@pytest.mark.parametrize("name", CLASS_SETS)
@pytest.mark.parametrize("measure", ["emotion", "emotion_bacc", "gender"])
def test_another_modality_never_hurts(name: str, measure: str) -> None:
    found = all_ceilings()[name]
    for small in subsets():
        for large in subsets():
            if set(small) < set(large):
                assert found["+".join(small)][measure] <= found["+".join(large)][measure] + 1e-12


def test_four_class_ceilings_leave_room_for_fusion() -> None:
    found = all_ceilings()["4+exc"]
    assert all(0.6 < found[m]["emotion"] < 0.72 for m in MODALITIES)
    assert 0.85 < found["audio+text+video"]["emotion"] < 0.9
    assert found["text"]["gender"] == 0.5
    assert found["audio"]["gender"] == found["video"]["gender"] == 1.0


def test_what_lies_behind_no_consensus_follows_the_main_labels() -> None:
    shares = hidden_shares()
    assert list(shares) == list(MAIN)
    assert sum(shares.values()) == pytest.approx(1)
    by_hand = sum(shares[label] * shown_given("text", label) for label in MAIN)
    np.testing.assert_allclose(shown_given("text", "xxx"), by_hand, atol=1e-12)


def test_the_documented_table_is_the_computed_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "generated.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:audio|text|video)[\w +]*) \| ([\d.]+) \| ([\d.]+) \|$", page, flags=re.M)
    assert len(rows) == 7
    found = all_ceilings()["4+exc"]
    for subset, accuracy, balanced in rows:
        values = found[subset.replace(" ", "")]
        assert values["emotion"] == pytest.approx(float(accuracy), abs=6e-4)
        assert values["emotion_bacc"] == pytest.approx(float(balanced), abs=6e-4)

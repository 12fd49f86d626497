"""The best possible CCC is exact: computed again by plain loops, met by a simulated observer, passed by no other."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from affuse.corpora.generated.annotators import RATED_BY, RATINGS, evaluate
from affuse.corpora.generated.ceilings import subsets
from affuse.corpora.generated.displays import DISPLAYS, shown_given
from affuse.corpora.generated.rating_ceilings import (
    DIMENSIONS,
    meant_shares,
    one_rating,
    rating_ceiling,
    rating_ceilings,
)
from affuse.corpora.generated.script import plan_release
from affuse.evaluation.dimensions import measure_ratings


def test_shares_of_what_is_meant_sum_to_one() -> None:
    assert sum(meant_shares().values()) == pytest.approx(1)
    assert "xxx" not in meant_shares()


@pytest.mark.parametrize("centre", [1.0, 1.8, 3.0, 4.4])
def test_one_rating_has_the_moments_of_many_drawn_ones(centre: float) -> None:
    drawn = np.clip(np.rint(centre + np.random.default_rng(0).normal(0, 0.6, 200_000)), 1, 5)
    mean, variance = one_rating(centre)
    assert mean == pytest.approx(drawn.mean(), abs=0.006)
    assert variance == pytest.approx(drawn.var(), abs=0.006)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_the_ceiling_is_the_correlation_counted_out_by_loops(dimension: str) -> None:
    subset = ("audio", "text")
    first = DIMENSIONS.index(dimension)
    total = square = seen = 0.0
    for label, share in meant_shares().items():
        mean, variance = one_rating(RATINGS[label][first])
        total += share * mean
        square += share * (mean**2 + variance / len(RATED_BY))
    for displays in product(range(len(DISPLAYS)), repeat=2):
        chance = expected = 0.0
        for label, share in meant_shares().items():
            here = share
            for modality, display in zip(subset, displays, strict=True):
                here *= shown_given(modality, label)[display]
            chance += here
            expected += here * one_rating(RATINGS[label][first])[0]
        seen += expected**2 / chance if chance else 0.0
    by_loops = ((seen - total**2) / (square - total**2)) ** 0.5
    assert rating_ceiling(dimension, subset) == pytest.approx(by_loops, abs=1e-12)


def test_an_observer_of_a_release_meets_the_ceilings_and_no_other_answer_passes_them() -> None:
    plan = plan_release(sessions=5, dialogs=8, turns=20_000, seed=1)
    judged = [one for dialog in plan for one in evaluate(dialog, 1)]
    ratings = np.array([one.mean_rating() for one in judged])
    shares = meant_shares()
    for subset in (("audio", "text"), ("audio", "text", "video")):
        keys = [tuple(one.turn.shown[m] for m in subset) for one in judged]
        for place, dimension in enumerate(DIMENSIONS):
            answers = {}
            for key in set(keys):
                weights = [share * _chance(label, subset, key) for label, share in shares.items()]
                means = [one_rating(RATINGS[label][place])[0] for label in shares]
                answers[key] = np.average(means, weights=weights)
            told, rated = np.array([answers[key] for key in keys]), ratings[:, place]
            best = rating_ceiling(dimension, subset)

            def ccc(stretch: float, told: np.ndarray = told, rated: np.ndarray = rated) -> float:
                return measure_ratings(rated, rated.mean() + stretch * (told - rated.mean())).ccc

            assert ccc(rated.std() / told.std()) == pytest.approx(best, abs=0.012)
            assert max(ccc(stretch) for stretch in (0.5, 0.9, 1.0, 1.8, 2.5)) < best + 0.012


def _chance(label: str, subset: tuple[str, ...], displays: tuple[str, ...]) -> float:
    shown = [shown_given(m, label)[DISPLAYS.index(d)] for m, d in zip(subset, displays, strict=True)]
    return float(np.prod(shown))


def test_another_modality_never_hurts() -> None:
    found = rating_ceilings()
    assert set(found) == {"+".join(subset) for subset in subsets()}
    for small in subsets():
        for large in subsets():
            if set(small) < set(large):
                for dimension in DIMENSIONS:
                    assert found["+".join(small)][dimension] <= found["+".join(large)][dimension] + 1e-12


def test_the_documented_table_is_the_computed_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "generated.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| ((?:audio|text|video)[\w +]*) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", page, flags=re.M
    )
    assert len(rows) == 7
    for subset, *values in rows:
        found = rating_ceilings()[subset.replace(" ", "")]
        assert [float(value) for value in values] == pytest.approx(
            [found[one] for one in DIMENSIONS], abs=6e-4
        )

"""Raters beside a model: ratings of one rater against the others, and a model on the raters' utterances."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from affuse.evaluation.dimensions import measure_ratings
from affuse.evaluation.human_ceiling import measure_model, measure_raters
from affuse.evaluation.measures import ClassMeasure, RatingMeasure
from affuse.evaluation.raters import krippendorff_alpha, leave_one_rating_out, rating_ceiling
from affuse.evaluation.rating_sums import RATING_MEASURES
from affuse.evaluation.soft import measure_soft

VALUES = np.array([1.0, 2.0, 3.5, 5.0])
DRAW = np.random.default_rng(2)
COUNTS = np.stack([DRAW.multinomial(n, DRAW.dirichlet(np.ones(4))) for n in DRAW.integers(0, 4, 60)])
CLUSTERS = pd.Series([f"s{i % 6}" for i in range(60)], index=[f"u{i}" for i in range(60)])


def _pairs(counts: np.ndarray) -> tuple[list[float], list[float]]:
    """One rater and the mean of the others, each utterance six times in all (it has two or three raters)."""
    ones: list[float] = []
    others: list[float] = []
    for row in counts:
        given = np.repeat(VALUES, row).tolist()
        for i, rating in enumerate(given) if len(given) > 1 else ():
            times = 6 // len(given)
            ones += [rating] * times
            others += [float(np.mean(given[:i] + given[i + 1 :]))] * times
    return ones, others


def test_ratings_of_one_rater_against_the_others_are_those_of_all_pairs() -> None:
    ones, others = _pairs(COUNTS)
    expected = measure_ratings(others, ones)
    each = leave_one_rating_out(COUNTS, VALUES)
    assert (each[:, 0] == (COUNTS.sum(axis=1) >= 2)).all()
    for metric, of in RATING_MEASURES.items():
        assert float(of(each.sum(axis=0))) == pytest.approx(getattr(expected, metric), abs=1e-12)


def test_the_ceiling_of_ratings_has_an_interval_of_speakers() -> None:
    speakers = [str(name) for name in CLUSTERS]
    found = rating_ceiling(COUNTS, VALUES, speakers)
    ones, others = _pairs(COUNTS)
    assert found.value == pytest.approx(measure_ratings(others, ones).ccc, abs=1e-12)
    assert found.low < found.value < found.high
    several = COUNTS.sum(axis=1) >= 2
    said = CLUSTERS[several].value_counts()
    df = said.sum() ** 2 / (said**2).sum() - 1  # fewer than five, as some speakers say more than others
    without = []
    for name in sorted(set(speakers)):
        kept = np.array([speaker != name for speaker in speakers])
        ones, others = _pairs(COUNTS[kept])
        without.append(np.arctanh(measure_ratings(others, ones).ccc))
    error = np.sqrt(5 / 6 * np.square(np.array(without) - np.mean(without)).sum())
    half = (np.arctanh(found.high) - np.arctanh(found.low)) / 2
    assert half == pytest.approx(stats.t.ppf(0.975, df) * error)


def test_nobody_with_two_ratings_has_no_ceiling_and_values_must_fit() -> None:
    assert np.isnan(rating_ceiling(np.array([[1, 0], [0, 1]]), np.array([1.0, 2.0]), ["a", "b"]).value)
    with pytest.raises(ValueError, match="one finite value"):
        leave_one_rating_out(COUNTS, VALUES[:2])
    with pytest.raises(ValueError, match="speaker of each utterance"):
        rating_ceiling(COUNTS, VALUES, ["a"])


def _said(counts: np.ndarray, answers: list[str], task: str) -> pd.DataFrame:
    wide = pd.DataFrame(counts, columns=answers, index=CLUSTERS.index.rename("id"))
    long = wide.reset_index().melt("id", var_name="answer", value_name="count")
    return long[long["count"] > 0].assign(task=task)


def _table() -> pd.DataFrame:
    """Labels of every second utterance, answers of all, with probabilities."""
    ids = CLUSTERS.index
    labels = DRAW.choice(["x", "y"], 60)
    p = DRAW.uniform(0.05, 0.95, 60)
    return pd.DataFrame(
        {
            "id": ids,
            "t": [label if i % 2 == 0 else "" for i, label in enumerate(labels)],
            "t_predicted": np.where(p > 0.5, "x", "y"),
            "t_p_x": p,
            "t_p_y": 1 - p,
            "v": [f"{v:.2f}" if i % 3 else "" for i, v in enumerate(DRAW.uniform(1, 5, 60))],
            "v_predicted": DRAW.uniform(1, 5, 60),
        }
    )


def test_raters_and_model_are_measured_on_the_same_labelled_utterances() -> None:
    """Labels outside of the classes (z, w) count where raters are compared, and not for the model."""
    table, measure = _table(), ClassMeasure("t", ["x", "y"])
    said = _said(COUNTS, ["x", "y", "z", "w"], "t")
    found = measure_raters(said, measure, table, CLUSTERS)
    assert found is not None
    here = (COUNTS.sum(axis=1) >= 2) & (table["t"] != "").to_numpy()
    assert (found.utterances, found.metric) == (here.sum(), "acc")
    assert found.alpha == pytest.approx(krippendorff_alpha(COUNTS[here]))
    assert found.votes == pytest.approx(COUNTS[here].sum(axis=1).mean())
    other = table.assign(t_predicted=table["t_predicted"].map({"x": "y", "y": "x"}))
    model = measure_model(found, measure, [table, other], CLUSTERS)
    assert model.reached.value == pytest.approx(0.5)  # what one gets right, the other gets wrong
    alone = measure_model(found, measure, [table], CLUSTERS)
    assert alone.reached.value == pytest.approx((table["t"] == table["t_predicted"])[here].mean())
    assert sum(band.utterances for band in alone.bands) == here.sum()
    right = sum(band.utterances * band.accuracy for band in alone.bands if band.utterances)
    assert right == pytest.approx((table["t"] == table["t_predicted"])[here].sum())
    expected = measure_soft(COUNTS[here][:, :2], table.loc[here, ["t_p_x", "t_p_y"]].to_numpy(float))
    assert alone.soft == pytest.approx(expected)


def test_raters_of_a_rating_are_measured_by_ccc() -> None:
    table, measure = _table(), RatingMeasure("v")
    said = _said(COUNTS, ["1", "2", "3.5", "5"], "v")
    found = measure_raters(said, measure, table, CLUSTERS)
    assert found is not None
    here = (COUNTS.sum(axis=1) >= 2) & (table["v"] != "").to_numpy()
    assert (found.utterances, found.metric) == (here.sum(), "ccc")
    assert found.alpha == pytest.approx(krippendorff_alpha(COUNTS[here], VALUES))
    ones, others = _pairs(COUNTS[here])
    assert found.rater.value == pytest.approx(measure_ratings(others, ones).ccc)
    model = measure_model(found, measure, [table], CLUSTERS)
    expected = measure_ratings(table["v"][here].astype(float), table["v_predicted"][here]).ccc
    assert model.reached.value == pytest.approx(expected)
    assert (model.bands, model.soft) == ([], None)


def test_without_votes_there_are_no_raters() -> None:
    table, measure = _table(), ClassMeasure("t", ["x", "y"])
    once = np.eye(4, dtype=int)[DRAW.integers(0, 4, 60)]
    assert measure_raters(_said(once, ["x", "y", "z", "w"], "t"), measure, table, CLUSTERS) is None
    assert measure_raters(_said(COUNTS, ["x", "y", "z", "w"], "u"), measure, table, CLUSTERS) is None
    assert measure_raters(pd.DataFrame(), measure, table, CLUSTERS) is None

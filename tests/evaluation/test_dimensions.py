"""Metrics of ratings derived a second way, and how often CCC's interval over speakers holds the true value."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr, t
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from affuse.evaluation.dimensions import concordance_interval, measure_dimension, measure_ratings


def test_metrics_equal_other_derivations() -> None:
    random = np.random.default_rng(0)
    y = random.uniform(1, 5, 40)
    x = 0.6 * y + random.normal(1, 0.5, 40)
    found = measure_ratings(y, x)
    # Lin 1989: pearson times the bias correction 2 / (v + 1 / v + u^2)
    v = x.std() / y.std()
    u = (x.mean() - y.mean()) / math.sqrt(x.std() * y.std())
    r = float(pearsonr(x, y).statistic)  # type: ignore[attr-defined]
    assert found.pearson == pytest.approx(r)
    assert found.ccc == pytest.approx(r * 2 / (v + 1 / v + u**2))
    assert found.rmse == pytest.approx(root_mean_squared_error(y, x))
    assert found.mae == pytest.approx(mean_absolute_error(y, x))
    assert found.n == 40


def test_what_cannot_be_known_is_nan_and_never_a_warning() -> None:
    alike = measure_ratings([3, 3], [3, 3])
    assert math.isnan(alike.ccc)
    assert math.isnan(alike.pearson)
    assert alike.rmse == 0
    constant = measure_ratings([1, 5], [3, 3])
    assert constant.ccc == 0
    assert math.isnan(constant.pearson)
    assert measure_ratings([2], [3]).ccc == 0
    # the mean of three times 0.1 is not 0.1, so that each lies a bit beside it
    alike = measure_ratings([0.1] * 3, [0.1] * 3)
    assert math.isnan(alike.ccc)
    assert math.isnan(alike.pearson)
    constant = measure_ratings([1.1, 2.3, 3.7], [0.1] * 3)
    assert constant.ccc == 0
    assert math.isnan(constant.pearson)
    with pytest.raises(ValueError, match="no rated utterance"):
        measure_ratings([], [])


def test_a_table_is_measured_over_its_ratings_of_a_role() -> None:
    table = pd.DataFrame(
        {
            "id": list("abcd"), "role": ["validation", "test", "test", "test"],
            "valence": ["5.0", "1.5", "", "3"], "valence_predicted": [1.0, 2.0, 9.0, 3.5],
        }
    )  # fmt: skip
    assert measure_dimension(table, "valence", "test") == measure_ratings([1.5, 3], [2, 3.5])
    assert measure_dimension(table.replace("", np.nan), "valence") == measure_ratings(
        [5, 1.5, 3], [1, 2, 3.5]
    )


def simulate(random: np.random.Generator, speakers: int, each: int) -> tuple[pd.DataFrame, pd.Series]:
    """Ratings of speakers who differ in how well they are read, and in how far answers of them lie beside."""
    n = speakers * each
    speaker = np.repeat(np.arange(speakers), each)
    y = random.normal(0, 1, n)
    x = 0.7 * y + random.normal(0, 0.9, speakers)[speaker] + random.normal(0, 0.3, n)
    ids = [f"u{i}" for i in range(n)]
    table = pd.DataFrame({"id": ids, "v": y, "v_predicted": x})
    return table, pd.Series([f"s{i}" for i in speaker], index=ids)


def test_the_interval_holds_the_true_value_nearly_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    # cov = 0.7, var y = 1, var x = 0.49 + 0.81 + 0.09, means equal
    truth = 2 * 0.7 / (1 + 1.39)
    held, without = 0, 0
    for _ in range(120):
        table, speakers = simulate(random, 12, 15)
        low, high = concordance_interval(table, "v", speakers)[1:]
        held += low <= truth <= high
        low, high = concordance_interval(table, "v", pd.Series(dtype=object))[1:]
        without += low <= truth <= high
    assert 0.90 <= held / 120 <= 1
    assert without < held - 6  # as if utterances of one speaker were independent


def test_the_interval_is_the_jackknife_of_speakers_on_fishers_scale() -> None:
    table, speakers = simulate(np.random.default_rng(2), 4, 6)
    whose = speakers[table["id"]].to_numpy()
    left_out = []
    for name in sorted(set(whose)):
        rest = table[whose != name]
        r = float(pearsonr(rest["v_predicted"], rest["v"]).statistic)  # type: ignore[attr-defined]
        v = rest["v_predicted"].std(ddof=0) / rest["v"].std(ddof=0)
        shift = rest["v_predicted"].mean() - rest["v"].mean()
        u = shift / math.sqrt(rest["v_predicted"].std(ddof=0) * rest["v"].std(ddof=0))
        left_out.append(math.atanh(r * 2 / (v + 1 / v + u**2)))
    middle = sum(left_out) / 4
    error = math.sqrt(3 / 4 * sum((one - middle) ** 2 for one in left_out))
    value, low, high = concordance_interval(table, "v", speakers)
    assert low == pytest.approx(math.tanh(math.atanh(value) - t.ppf(0.975, 3) * error))
    assert high == pytest.approx(math.tanh(math.atanh(value) + t.ppf(0.975, 3) * error))


def test_one_speaker_or_perfect_answers_have_no_interval() -> None:
    table, speakers = simulate(np.random.default_rng(0), 1, 9)
    assert math.isnan(concordance_interval(table, "v", speakers).low)
    perfect = table.assign(v_predicted=table["v"])
    assert concordance_interval(perfect, "v", pd.Series(dtype=object)).value == pytest.approx(1)

"""Ratings in comparisons, derived a second way: sums of speakers, intervals, paired tests, chance, groups, range."""

import math

import audmetric
import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr, t

from affuse.evaluation.differences import paired_difference
from affuse.evaluation.dimensions import measure_dimension, measure_ratings, undefined_in_words
from affuse.evaluation.groups import group_gap, group_metrics, grouped
from affuse.evaluation.measures import ClassMeasure, RatingMeasure, kind_of, measure_of
from affuse.evaluation.rating_range import rating_range
from affuse.evaluation.rating_sums import RATING_MEASURES, above_chance_p, rating_interval
from affuse.evaluation.resampling import draw_speakers

VALENCE = RatingMeasure("v")


def spoken(
    random: np.random.Generator, speakers: int = 8, each: int = 15, shift: float = 0.5, slope: float = 0.6
) -> tuple[pd.DataFrame, pd.Series]:
    """A table of speakers of uneven numbers, whose answers lie beside by an amount of their own."""
    counts = random.integers(each // 2, each * 2, speakers)
    whose = np.repeat(np.arange(speakers), counts)
    y = random.normal(random.normal(3, 0.5, speakers)[whose], 0.8)
    x = 3 + slope * (y - 3) + random.normal(0, shift, speakers)[whose] + random.normal(0, 0.4, len(y))
    ids = [f"u{i}" for i in range(len(y))]
    table = pd.DataFrame({"id": ids, "fold": 0, "v": y, "v_predicted": x})
    return table, pd.Series([f"s{i}" for i in whose], index=ids)


def again(table: pd.DataFrame, random: np.random.Generator, noise: float = 0.3) -> pd.DataFrame:
    """Another row's answers to the same utterances."""
    return table.assign(v_predicted=table["v_predicted"] + random.normal(0, noise, len(table)))


def test_metrics_are_those_of_audmetric() -> None:
    table, _ = spoken(np.random.default_rng(0))
    y, x = table["v"].to_numpy(), table["v_predicted"].to_numpy()
    found = measure_ratings(y, x)
    assert found.ccc == pytest.approx(audmetric.concordance_cc(y, x), abs=1e-12)
    assert found.pearson == pytest.approx(audmetric.pearson_cc(y, x), abs=1e-12)
    assert found.rmse == pytest.approx(math.sqrt(audmetric.mean_squared_error(y, x)), abs=1e-12)
    assert found.mae == pytest.approx(audmetric.mean_absolute_error(y, x), abs=1e-12)


def test_sums_of_speakers_give_the_metrics_of_their_utterances() -> None:
    """On any scale, also far from 0, and of any part of the speakers."""
    table, speakers = spoken(np.random.default_rng(1))
    for factor, offset in ((1, 0), (1e3, 0), (0.01, 1e4)):
        scaled = table.assign(
            v=table["v"] * factor + offset, v_predicted=table["v_predicted"] * factor + offset
        )
        sums = VALENCE.speaker_sums([scaled], speakers)
        names = sorted(set(speakers))
        for kept in ([*range(len(names))], [0, 3], [2]):
            rows = scaled[scaled["id"].map(speakers).isin([names[i] for i in kept])]
            expected = measure_dimension(rows, "v")
            for name, measure in RATING_MEASURES.items():
                assert float(measure(sums[kept].sum(axis=0))[0]) == pytest.approx(
                    getattr(expected, name), rel=1e-7
                )
        assert VALENCE.utterances(sums).sum() == len(table)


def test_answers_that_are_all_alike_have_no_correlation_and_a_ccc_of_0() -> None:
    """0.1 and 0.7 added up often leave a variance that is rounding alone."""
    table, speakers = spoken(np.random.default_rng(2))
    sums = VALENCE.speaker_sums([table.assign(v_predicted=0.7)], speakers).sum(axis=0)
    assert float(RATING_MEASURES["ccc"](sums)[0]) == 0
    assert math.isnan(float(RATING_MEASURES["pearson"](sums)[0]))
    for one in (table.assign(v_predicted=0.7), table.assign(v=0.7)):
        found = VALENCE.interval(VALENCE.speaker_sums([one], speakers), "ccc")
        assert found.value == 0
        assert np.isnan(found[1:]).all()  # 0 to 0 would be a certainty that nobody has
    alike = VALENCE.speaker_sums([table.assign(v=0.1, v_predicted=0.1)], speakers).sum(axis=0)
    assert math.isnan(float(RATING_MEASURES["ccc"](alike)[0]))
    assert float(RATING_MEASURES["rmse"](alike)[0]) == 0


def test_intervals_are_a_jackknife_over_speakers_averaged_over_seeds() -> None:
    random = np.random.default_rng(3)
    table, speakers = spoken(random, speakers=5)
    tables = [table, again(table, random)]
    sums = VALENCE.speaker_sums(tables, speakers)
    names = sorted(set(speakers))
    said = speakers.value_counts().to_numpy(float)
    alike = said.sum() ** 2 / (said**2).sum()  # so many of equal numbers know as much
    for metric, there, back in (
        ("ccc", math.atanh, math.tanh), ("pearson", math.atanh, math.tanh),
        ("rmse", math.log, math.exp), ("mae", math.log, math.exp),
    ):  # fmt: skip

        def of(without: str, metric: str = metric) -> float:
            kept = [one[one["id"].map(speakers) != without] for one in tables]
            return float(np.mean([getattr(measure_dimension(one, "v"), metric) for one in kept]))

        left_out = [there(of(name)) for name in names]
        error = math.sqrt(4 / 5 * sum((one - sum(left_out) / 5) ** 2 for one in left_out))
        half, value = t.ppf(0.975, alike - 1) * error, of("nobody")
        found = rating_interval(sums, metric)
        assert found.value == pytest.approx(value)
        assert found.low == pytest.approx(back(there(value) - half))
        assert found.high == pytest.approx(back(there(value) + half))
    perfect = VALENCE.speaker_sums([table.assign(v_predicted=table["v"])], speakers)
    assert np.isnan(rating_interval(perfect, "rmse")[1:]).all()
    assert np.isnan(rating_interval(sums[:1], "mae")[1:]).all()


@pytest.mark.parametrize("metric", ["ccc", "rmse"])
def test_a_paired_difference_is_a_bootstrap_of_whole_speakers(metric: str) -> None:
    random = np.random.default_rng(4)
    table, speakers = spoken(random, speakers=6)
    other = again(table, random, 0.5)
    sums = [VALENCE.speaker_sums([one], speakers) for one in (table, other)]
    found = VALENCE.difference(sums[0], sums[1], metric)
    names = sorted(set(speakers))
    parts = [{name: one[one["id"].map(speakers) == name] for name in names} for one in (table, other)]
    drawn = []
    for times in draw_speakers(6, 200, 0):
        values = []
        for of in parts:
            rows = pd.concat([of[name] for name, n in zip(names, times, strict=True) for _ in range(n)])
            values.append(getattr(measure_dimension(rows, "v"), metric))
        drawn.append(values[1] - values[0])
    few = paired_difference(sums[0], sums[1], RATING_MEASURES[metric], resamples=200)
    error = float(np.std(drawn, ddof=1))
    assert few.error == pytest.approx(error)
    assert few.high - few.value == pytest.approx(t.ppf(0.975, 5) * error)
    assert few.p == pytest.approx(2 * t.sf(abs(few.value) / error, 5))
    assert found.value == few.value
    assert found.error == pytest.approx(error, rel=0.2)
    with pytest.raises(ValueError, match="same utterances"):
        VALENCE.difference(sums[0], sums[1][:3], metric)


def test_a_paired_difference_takes_the_same_utterances_alone() -> None:
    table, speakers = spoken(np.random.default_rng(4))
    sums = VALENCE.speaker_sums([table], speakers)
    fewer = VALENCE.speaker_sums([table.iloc[1:]], speakers)
    two = VALENCE.speaker_sums([table, table.iloc[1:]], speakers)
    for one, other in ((sums, fewer), (fewer, sums), (two, sums), (sums, two), (sums, sums[:-1])):
        with pytest.raises(ValueError, match="same utterances on both sides"):
            VALENCE.difference(one, other, "ccc")
    assert VALENCE.difference(sums, np.concatenate([sums, sums], axis=1), "ccc").value == pytest.approx(0)


def test_intervals_and_tests_are_right_about_as_often_as_they_say() -> None:
    """docs/statistics.md has more of it: python benchmarks/check_rating_intervals.py."""
    random = np.random.default_rng(5)
    crowd, _ = spoken(random, speakers=4000, shift=0.3)
    truth = measure_dimension(crowd, "v")
    held, false = dict.fromkeys(RATING_MEASURES, 0), 0
    for _ in range(100):
        table, speakers = spoken(random, speakers=12, shift=0.3)
        sums = VALENCE.speaker_sums([table], speakers)
        for name in held:
            _, low, high = VALENCE.interval(sums, name)
            held[name] += low <= getattr(truth, name) <= high
        pair = [VALENCE.speaker_sums([again(table, random)], speakers) for _ in range(2)]
        false += VALENCE.difference(pair[0], pair[1], "ccc").p < 0.05
    assert min(held.values()) >= 87
    assert false <= 12


def test_chance_is_that_of_permuted_ratings() -> None:
    random = np.random.default_rng(6)
    table, speakers = spoken(random, speakers=4, each=6, slope=0.25)
    y, x = table["v"].to_numpy(), table["v_predicted"].to_numpy()
    value = measure_ratings(y, x).ccc
    permuted = [measure_ratings(random.permutation(y), x).ccc for _ in range(4000)]
    chance, p = VALENCE.chance([table])
    assert chance == 0
    assert p == pytest.approx(float(np.mean([one >= value for one in permuted])), abs=0.02)
    # CCC's deviation is exact
    sums = VALENCE.speaker_sums([table], speakers).sum(axis=0)
    factor = value / float(pearsonr(x, y).statistic)  # type: ignore[attr-defined]
    assert float(np.std(permuted)) == pytest.approx(factor / math.sqrt(len(y) - 1), rel=0.05)
    assert above_chance_p(np.concatenate([sums] * 3)) == pytest.approx(p)  # seeds are no new utterances


def test_chance_of_what_cannot_be_known() -> None:
    table, _ = spoken(np.random.default_rng(7))
    assert VALENCE.chance([table.assign(v_predicted=3.0)]) == (0, 1)
    assert math.isnan(VALENCE.chance([table.assign(v=3.0)])[1])
    assert math.isnan(VALENCE.chance([table.head(1)])[1])


def test_answers_that_know_nothing_are_found_out() -> None:
    """One-sided, at 5 %, over utterances: of speakers that are alike."""
    random = np.random.default_rng(8)
    false = 0
    for _ in range(300):
        table, _ = spoken(random, speakers=2, each=20, shift=0)
        false += VALENCE.chance([table.assign(v_predicted=random.normal(3, 0.3, len(table)))])[1] < 0.05
    assert 3 <= false <= 30


def test_groups_and_their_gap_with_plain_loops() -> None:
    random = np.random.default_rng(9)
    table, speakers = spoken(random, speakers=8)
    gender = speakers.map(lambda name: "female" if int(name[1:]) % 2 else "male")
    other = again(table, random)
    found = group_metrics(VALENCE, [table, other], gender, speakers).set_index(["group", "metric"])
    assert found.index.unique("metric").tolist() == ["ccc", "rmse"]
    values = {}
    for name in ("female", "male"):
        parts = [one[one["id"].map(gender) == name] for one in (table, other)]
        values[name] = float(np.mean([measure_dimension(one, "v").ccc for one in parts]))
        assert found["value"][name, "ccc"] == pytest.approx(values[name])
        assert found["n"][name, "ccc"] == len(parts[0])
        assert found["speakers"][name, "ccc"] == 4
        assert found["low"][name, "ccc"] < values[name] < found["high"][name, "ccc"]
    gap = group_gap(VALENCE, [table, other], gender, speakers, ("female", "male"), "ccc")
    assert gap.value == pytest.approx(values["female"] - values["male"])
    assert gap.df == 6
    lines = grouped(VALENCE, [table, other], gender, speakers)
    (line,) = lines[(lines["group"] == "female - male") & (lines["metric"] == "ccc")].to_dict("records")
    assert (line["value"], line["p"], line["speakers"]) == (gap.value, gap.p, 8)


def test_a_group_of_one_speaker_has_no_p_value_and_an_empty_one_no_value() -> None:
    table, speakers = spoken(np.random.default_rng(10), speakers=3)
    lone = speakers.map(lambda name: "x" if name == "s0" else "y")
    found = group_gap(VALENCE, [table], lone, speakers, ("x", "y"), "ccc")
    assert math.isfinite(found.value)
    assert math.isnan(found.p)
    assert math.isnan(group_gap(VALENCE, [table], lone, speakers, ("x", "z"), "ccc").value)


def test_the_range_says_whether_extremes_are_pulled_to_the_middle() -> None:
    table, _ = spoken(np.random.default_rng(11), speakers=20, slope=0.4)
    y, x = table["v"].to_numpy(), table["v_predicted"].to_numpy()
    found = rating_range(y, x)
    assert found.slope == pytest.approx(np.polyfit(y, x, 1)[0])
    assert found.spread == pytest.approx(np.std(x) / np.std(y))
    assert found.shift == pytest.approx(np.mean(x - y))
    assert found.low > 0.3
    assert found.high < -0.3
    order = np.argsort(y)
    thirds = np.array_split(order, 3)
    for part, value in zip(thirds, (found.low, found.middle, found.high), strict=True):
        assert value == pytest.approx(float(np.mean((x - y)[part])), abs=0.02)
    assert found.floor_rmse == pytest.approx(measure_ratings(y, np.full(len(y), y.mean())).rmse)
    assert found.floor_mae == pytest.approx(measure_ratings(y, np.full(len(y), np.median(y))).mae)
    alike = rating_range(np.array([3.0, 3.0]), np.array([1.0, 2.0]))
    assert math.isnan(alike.slope)
    assert math.isnan(alike.low)
    assert alike.middle == -1.5


def test_ratings_that_do_not_differ_are_told_in_a_sentence() -> None:
    table = pd.DataFrame({"v": ["3", "", "3"], "v_predicted": [1.0, 2.0, 3.0]})
    assert undefined_in_words(table, "v").startswith(
        "v: all 2 rated utterances have 3, so CCC and correlation say"
    )
    assert "the only rated utterance has 3" in undefined_in_words(table.head(2), "v")
    assert undefined_in_words(table.iloc[1:2], "v") == ""
    assert undefined_in_words(table.assign(v=[1, 2, 3]), "v") == ""


def test_a_kind_is_known_by_its_metrics_and_by_its_record() -> None:
    assert kind_of(["rmse", "ccc"]) is RatingMeasure
    assert kind_of(["acc", "macro_f1", "bacc"]) is ClassMeasure
    assert isinstance(measure_of("v", {"kind": "regression", "range": [1, 5]}), RatingMeasure)
    classes = measure_of("e", {"classes": ["a", "b"]})
    assert isinstance(classes, ClassMeasure)
    assert classes.space == ["a", "b"]
    assert not VALENCE.known(pd.DataFrame({"id": ["a"]})).any()
    assert not classes.known(pd.DataFrame({"id": ["a"]})).any()

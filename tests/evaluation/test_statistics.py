"""Tests, corrections, calibration and power against textbook values, libraries and plain loops."""

import gc
import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score, silhouette_samples
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from affuse.evaluation.calibration import (
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    probabilities_of,
    reliability,
)
from affuse.evaluation.clusters import tightness
from affuse.evaluation.differences import paired_difference
from affuse.evaluation.groups import group_gap, group_metrics
from affuse.evaluation.intervals import speaker_confusions
from affuse.evaluation.mcnemar import mcnemar
from affuse.evaluation.measures import ClassMeasure
from affuse.evaluation.p_values import holm, over_seeds
from affuse.evaluation.power import detectable_by_mcnemar, detectable_difference
from affuse.evaluation.resampled_t import corrected_resampled_t
from affuse.evaluation.resampling import draw_speakers


def right(*counts: int):
    """Boolean pairs with (both, first only, second only, neither) utterances."""
    pairs = [(True, True), (True, False), (False, True), (False, False)]
    each = [pair for pair, count in zip(pairs, counts, strict=True) for _ in range(count)]
    return np.array(each)[:, 0], np.array(each)[:, 1]


def test_mcnemar_is_the_binomial_test_of_the_discordant() -> None:
    for first, second in [(6, 1), (0, 5), (12, 30), (3, 3)]:
        found = mcnemar(*right(40, first, second, 9))
        assert (found.only_reference, found.only_other) == (first, second)
        below = sum(math.comb(first + second, k) for k in range(min(first, second) + 1))
        assert found.p == pytest.approx(min(1.0, 2 * below / 2 ** (first + second)))
    assert mcnemar(*right(10, 0, 0, 2)) == (0, 0, 1.0)


def test_mcnemar_on_agrestis_approval_ratings() -> None:
    """Agresti, Categorical Data Analysis, table 10.1: 794, 150, 86, 570; z^2 = 17.36, p far below 0.001."""
    found = mcnemar(*right(794, 150, 86, 570))
    assert found.p == pytest.approx(stats.chi2.sf((150 - 86) ** 2 / (150 + 86), 1), rel=0.4)
    assert found.p < 1e-4


def test_mcnemar_wants_the_same_utterances() -> None:
    with pytest.raises(ValueError, match="same utterances"):
        mcnemar(np.ones(3, bool), np.ones(4, bool))


def test_holm_step_by_step() -> None:
    """Four tests by hand: 4 x 0.005, 3 x 0.01, 2 x 0.03, 1 x 0.04 raised to the one before; NaN does not count."""
    found = holm([0.01, np.nan, 0.04, 0.03, 0.005])
    assert found[[0, 2, 3, 4]] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert np.isnan(found[1])
    assert np.isnan(holm([np.nan])).all()


@pytest.fixture
def nothing_to_collect() -> Iterator[None]:
    """Statsmodels collects garbage at every call: 0.25 s each, where a hundred tests' modules are loaded."""
    gc.freeze()
    yield
    gc.unfreeze()


# the fixture changes nothing that the examples see
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(p=st.lists(st.one_of(st.floats(0, 1), st.just(0.01)), min_size=1, max_size=20))
@pytest.mark.usefixtures("nothing_to_collect")
def test_holm_is_statsmodels_to_the_last_bit(p: list[float]) -> None:
    assert holm(p).tolist() == multipletests(p, method="holm")[1].tolist()


def test_one_p_value_of_many_seeds() -> None:
    assert over_seeds([0.03]) == 0.03
    assert over_seeds([0.2, 0.01, 0.04]) == pytest.approx(0.08)
    assert over_seeds([0.9, 0.8]) == 1
    assert np.isnan(over_seeds([np.nan]))


def test_twice_the_median_keeps_its_level_where_seeds_are_alike() -> None:
    random = np.random.default_rng(0)
    shared, own = random.normal(size=(20000, 1)), random.normal(size=(20000, 3))
    for weight in (0.0, 0.7, 1.0):
        p = 2 * stats.norm.sf(np.abs(math.sqrt(weight) * shared + math.sqrt(1 - weight) * own))
        assert np.mean(np.minimum(1, 2 * np.median(p, axis=1)) <= 0.05) < 0.05


def test_resampled_t_by_hand() -> None:
    """Differences 1, 2, 3, n_test / n_train = 1/4: t = 2 / sqrt((1/3 + 1/4) x 1)."""
    found = corrected_resampled_t([1.0, 2.0, 3.0], 0.25)
    total = 0.0
    for d in (1.0, 2.0, 3.0):
        total += (d - 2) ** 2 / 2
    t = 2 / math.sqrt(7 / 12 * total)
    assert (found.mean, found.t, found.df) == (2, pytest.approx(t), 2)
    assert found.p == pytest.approx(1 - t / math.sqrt(t * t + 2))  # Student's t with two degrees, closed form
    assert corrected_resampled_t([0.0, 0.0], 0.2).p == 1
    assert np.isnan(corrected_resampled_t([0.3], 0.2).p)
    assert np.isnan(corrected_resampled_t([0.3, 0.3], 0.2).p)


def test_resampled_t_without_overlap_is_the_plain_t_test() -> None:
    d = np.random.default_rng(0).normal(0.3, 1, 15)
    found, plain = corrected_resampled_t(d, 0.0), stats.ttest_1samp(d, 0)
    assert (found.t, found.p) == (pytest.approx(plain.statistic), pytest.approx(plain.pvalue))


def test_resampled_t_has_its_level_where_differences_share_their_training() -> None:
    """With correlation n_test / (n_test + n_train) the correction is exact; the plain t test fails."""
    random, ratio, trials = np.random.default_rng(0), 0.25, 4000
    rho = ratio / (1 + ratio)
    d = math.sqrt(rho) * random.normal(size=(trials, 1)) + math.sqrt(1 - rho) * random.normal(
        size=(trials, 10)
    )
    corrected = np.mean([corrected_resampled_t(row, ratio).p < 0.05 for row in d])
    plain = np.mean([corrected_resampled_t(row, 0.0).p < 0.05 for row in d])
    assert corrected == pytest.approx(0.05, abs=0.012)
    assert plain > 0.2


def test_what_can_be_detected_is_what_statsmodels_says() -> None:
    for df in (1, 4, 9, 40):
        shift = detectable_difference(0.02, df) / 0.02
        found = TTestPower().power(shift / math.sqrt(df + 1), df + 1, 0.05, alternative="two-sided")
        assert found == pytest.approx(0.8, abs=1e-6)
    assert detectable_difference(1.0, 10**6) == pytest.approx(1.959964 + 0.841621, abs=1e-3)
    assert detectable_difference(1.0, 9, alpha=0.05 / 9) > detectable_difference(1.0, 9)
    assert np.isnan(detectable_difference(0.0, 9))
    assert np.isnan(detectable_difference(float("nan"), 9))


def test_a_detectable_difference_is_detected_eight_times_in_ten() -> None:
    """Nine degrees of freedom: simulated t tests of normal means one detectable difference from 0."""
    random, error = np.random.default_rng(0), 1 / math.sqrt(10)
    samples = random.normal(detectable_difference(error, 9), 1, (4000, 10))
    assert np.mean(stats.ttest_1samp(samples, 0, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.02)


def test_mcnemar_detects_what_it_should_eight_times_in_ten() -> None:
    random, n, discordant = np.random.default_rng(0), 933, 0.1
    d = detectable_by_mcnemar(n, discordant)
    assert 0.02 < d < 0.04
    first, second, _ = random.multinomial(
        n, [(discordant - d) / 2, (discordant + d) / 2, 1 - discordant], 4000
    ).T
    power = np.mean((first - second) ** 2 / (first + second) > stats.chi2.ppf(0.95, 1))
    assert power == pytest.approx(0.8, abs=0.02)
    assert np.isnan(detectable_by_mcnemar(3, 0.1))
    assert np.isnan(detectable_by_mcnemar(100, 0.0))


def classified(seed: int = 0, n: int = 400, classes: int = 4, sharpness: float = 1.0):
    """Labels drawn from softmax(logits), probabilities from softmax(sharpness x logits)."""
    random = np.random.default_rng(seed)
    logits = 1.5 * random.normal(size=(n, classes))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([random.choice(classes, p=p) for p in true])
    shown = np.exp(sharpness * logits)
    return shown / shown.sum(axis=1, keepdims=True), labels


def test_calibration_error_with_plain_loops() -> None:
    probabilities, labels = classified()
    error = 0.0
    for k in range(10):
        members = [i for i, p in enumerate(probabilities) if k / 10 < max(p) <= (k + 1) / 10]
        if members:
            right = sum(probabilities[i].argmax() == labels[i] for i in members) / len(members)
            sure = sum(max(probabilities[i]) for i in members) / len(members)
            error += abs(right - sure) * len(members) / len(labels)
    assert expected_calibration_error(probabilities, labels) == pytest.approx(error)
    assert reliability(probabilities, labels)["n"].sum() == len(labels)


def test_calibration_error_by_hand() -> None:
    """Two bins: 0.6 sure and right once in two, 0.9 sure and right twice in two."""
    probabilities = np.array([[0.6, 0.4], [0.4, 0.6], [0.9, 0.1], [0.1, 0.9]])
    assert expected_calibration_error(probabilities, np.array([0, 0, 0, 1])) == pytest.approx(0.1)
    assert np.isnan(expected_calibration_error(np.zeros((0, 2)), np.zeros(0, int)))
    certain = reliability(np.array([[1.0, 0.0]]), np.array([0]))
    assert certain[["low", "high", "n"]].to_numpy().tolist() == [[0.9, 1.0, 1.0]]


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_known_sharpness(sharpness: float) -> None:
    probabilities, labels = classified(n=6000, sharpness=sharpness)
    temperature = fit_temperature(probabilities, labels).value
    assert temperature == pytest.approx(sharpness, rel=0.1)
    scaled = apply_temperature(probabilities, temperature)
    assert scaled.sum(axis=1) == pytest.approx(1)
    assert (scaled.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    assert expected_calibration_error(scaled, labels) < 0.02
    losses = [
        negative_log_likelihood(apply_temperature(probabilities, t), labels)
        for t in np.geomspace(0.2, 8, 200)
    ]
    assert negative_log_likelihood(scaled, labels) <= min(losses) + 1e-6


def test_temperature_is_that_of_the_logits() -> None:
    """Log p instead of logits changes nothing."""
    logits = np.random.default_rng(0).normal(size=(5, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = np.exp(logits / 2.5) / np.exp(logits / 2.5).sum(axis=1, keepdims=True)
    assert apply_temperature(p, 2.5) == pytest.approx(expected)
    assert np.isnan(fit_temperature(np.zeros((0, 3)), np.zeros(0, int)).value)


def spoken(
    random: np.random.Generator,
    speakers: int = 10,
    each: int = 30,
    skill: float = 0.75,
    spread: float = 0.08,
    gain: float = 0.0,
    gain_spread: float = 0.0,
):
    """Two cells' prediction tables on the same utterances of speakers who differ, and the speakers."""
    first, second = [], []
    for s in range(speakers):
        chance = min(0.98, max(0.05, random.normal(skill, spread)))
        better = min(0.99, max(0.02, chance + random.normal(gain, gain_spread)))
        for k in range(each):
            draw = random.random()
            row = {"id": f"{s}_{k}", "fold": s // 2, "emotion": "ab"[k % 2]}
            first.append(row | {"emotion_predicted": "ab"[k % 2] if draw < chance else "ba"[k % 2]})
            second.append(row | {"emotion_predicted": "ab"[k % 2] if draw < better else "ba"[k % 2]})
    tables = pd.DataFrame(first), pd.DataFrame(second)
    return *tables, pd.Series({row["id"]: f"s{row['id'].split('_')[0]}" for row in first})


def test_resamples_draw_one_speaker_fewer_in_each_stratum() -> None:
    strata = np.array([0, 0, 0, 1, 1])
    times = draw_speakers(5, 4000, strata=strata)
    assert (times[:, :3].sum(axis=1) == 2).all()
    assert (times[:, 3:].sum(axis=1) == 1).all()
    # the variance of the mean of x over resamples is the textbook's S^2 / n
    x = np.array([1.0, 4.0, 9.0])
    assert np.var(times[:, :3] @ x / 2) == pytest.approx(x.var(ddof=1) / 3, rel=0.06)


def test_paired_difference_against_plain_loops() -> None:
    random = np.random.default_rng(3)
    first, second, speakers = spoken(random, speakers=6, each=12, gain=0.1, gain_spread=0.1)
    counts = [speaker_confusions([table], "emotion", ["a", "b"], speakers) for table in (first, second)]
    found = paired_difference(*counts, "bacc")
    scores = [
        balanced_accuracy_score(table["emotion"], table["emotion_predicted"]) for table in (first, second)
    ]
    assert found.value == pytest.approx(scores[1] - scores[0])
    names = sorted(set(speakers))
    values = []
    for times in draw_speakers(6):
        rows = [
            i
            for name, k in zip(names, times, strict=True)
            for i in list(first.index[first["id"].map(speakers) == name]) * k
        ]
        each = []
        for table in (first, second):
            drawn = table.loc[rows]
            recalls = [(drawn.loc[drawn["emotion"] == c, "emotion_predicted"] == c).mean() for c in "ab"]
            each.append(sum(recalls) / 2)
        values.append(each[1] - each[0])
        if len(values) == 300:
            break
    many = paired_difference(*counts, "bacc", resamples=300)
    # the first 300 of 2000 draws are the 300 draws of another call
    assert (draw_speakers(6, 300) == draw_speakers(6)[:300]).all()
    assert many.error == pytest.approx(np.std(values, ddof=1))
    assert many.high - many.value == pytest.approx(stats.t.ppf(0.975, 5) * np.std(values, ddof=1))


def test_interval_and_p_value_of_a_difference_agree() -> None:
    random, crossings = np.random.default_rng(0), set()
    for trial in range(40):
        first, second, speakers = spoken(random, gain=0.05, gain_spread=0.05)
        counts = [speaker_confusions([t], "emotion", ["a", "b"], speakers) for t in (first, second)]
        found = paired_difference(*counts, "acc", resamples=300, seed=trial)
        excluded = not found.low <= 0 <= found.high
        assert excluded == (found.p < 0.05)
        crossings.add(excluded)
    assert crossings == {True, False}


def test_the_interval_of_a_difference_covers_the_truth() -> None:
    """95 in 100 with ten speakers; utterances taken for independent, or unpaired cells, do not do that."""
    random, covered, rejected = np.random.default_rng(0), 0, 0
    trials, gain = 300, 0.04
    for trial in range(trials):
        first, second, speakers = spoken(random, gain=gain, gain_spread=0.08, spread=0.05, each=20, skill=0.6)
        counts = [speaker_confusions([t], "emotion", ["a", "b"], speakers) for t in (first, second)]
        found = paired_difference(*counts, "bacc", resamples=300, seed=trial)
        covered += found.low <= gain <= found.high
        rejected += mcnemar_misses(first, second, gain)
    assert 0.92 <= covered / trials <= 0.98
    assert rejected / trials > 0.1


def mcnemar_misses(first: pd.DataFrame, second: pd.DataFrame, gain: float):
    """Whether the normal interval of the discordant difference, utterances independent, misses the truth."""
    d = (second["emotion"] == second["emotion_predicted"]).astype(float) - (
        first["emotion"] == first["emotion_predicted"]
    )
    return abs(d.mean() - gain) > 1.96 * d.std() / math.sqrt(len(d))


def test_equal_cells_have_no_difference_and_one_speaker_no_interval() -> None:
    first, _, speakers = spoken(np.random.default_rng(0))
    counts = speaker_confusions([first], "emotion", ["a", "b"], speakers)
    assert paired_difference(counts, counts, "bacc")[:4] == (0, 0, 0, 1)
    one = paired_difference(counts[:1], counts[:1], "bacc")
    assert one.value == 0
    assert np.isnan(one.p)
    with pytest.raises(ValueError, match="same utterances"):
        paired_difference(counts[:4], counts[:3], "acc")


def grouped():
    """A table whose recalls by gender are known, and its groups."""
    table, _, speakers = spoken(np.random.default_rng(1), speakers=8, each=24, spread=0.1)
    return table, speakers.map(lambda name: "female" if int(name[1:]) % 2 else "male"), speakers


def test_a_numbered_speaker_is_one_speaker_in_every_table() -> None:
    """Of two tables one has an utterance without a speaker, whose blank makes numbers floats."""
    tables = [
        pd.DataFrame({"id": ids, "t": "x", "t_predicted": "x"}) for ids in (["a", "b"], ["a", "b", "c"])
    ]
    counts = speaker_confusions(tables, "t", ["x"], pd.Series({"a": 1, "b": 2}))
    assert counts[:, :, 0, 0].tolist() == [[1, 1], [1, 1], [0, 1]]  # 1, 2 and c


def test_group_metrics_are_scikit_learns_on_the_group() -> None:
    table, gender, speakers = grouped()
    other = table.assign(emotion_predicted=table["emotion"])
    found = group_metrics(ClassMeasure("emotion", "ab"), [table, other], gender, speakers).set_index(
        ["group", "metric"]
    )
    for name in ("female", "male"):
        part = table[table["id"].map(gender) == name]
        pair = part["emotion"], part["emotion_predicted"]
        assert found.loc[(name, "acc"), "value"] == pytest.approx((accuracy_score(*pair) + 1) / 2)
        assert found.loc[(name, "bacc"), "value"] == pytest.approx((balanced_accuracy_score(*pair) + 1) / 2)
        recalls = recall_score(*pair, average=None, labels=["a", "b"])
        assert found.loc[(name, "recall_b"), "value"] == pytest.approx((recalls[1] + 1) / 2)
        assert found.loc[(name, "acc"), "n"] == len(part) == 96
        assert found.loc[(name, "acc"), "speakers"] == 4
        assert found.loc[(name, "acc"), "low"] <= found.loc[(name, "acc"), "value"]


def test_gap_of_nested_groups_is_welchs_error() -> None:
    """Speakers of equal size: the error of the gap is sqrt(s_f^2 / n_f + s_m^2 / n_m) of the speakers' ACC."""
    table, gender, speakers = grouped()
    found = group_gap(
        ClassMeasure("emotion", "ab"), [table], gender, speakers, ("female", "male"), "acc", resamples=20000
    )
    each = (table["emotion"] == table["emotion_predicted"]).groupby(table["id"].map(speakers)).mean()
    sides = [each[[name for name in each.index if int(name[1:]) % 2 == side]] for side in (1, 0)]
    assert found.value == pytest.approx(sides[0].mean() - sides[1].mean())
    assert found.df == 6
    assert found.error == pytest.approx(math.sqrt(sum(side.var() / 4 for side in sides)), rel=0.02)


def test_gap_of_crossed_groups_is_paired_by_speaker() -> None:
    table, _, speakers = grouped()
    kind = pd.Series({id: "improvised" if int(id.split("_")[1]) < 12 else "scripted" for id in table["id"]})
    found = group_gap(
        ClassMeasure("emotion", "ab"),
        [table],
        kind,
        speakers,
        ("improvised", "scripted"),
        "acc",
        resamples=20000,
    )
    right = (table["emotion"] == table["emotion_predicted"]).astype(float)
    each = right.groupby([table["id"].map(speakers), table["id"].map(kind)]).mean()
    d = each.xs("improvised", level=1) - each.xs("scripted", level=1)
    assert (found.value, found.df) == (pytest.approx(d.mean()), 7)
    assert found.error == pytest.approx(math.sqrt(d.var() / 8), rel=0.02)


def test_gap_needs_two_speakers_a_side() -> None:
    table, _, speakers = grouped()
    lone = pd.Series({id: "x" if id.startswith("0_") else "y" for id in table["id"]})
    found = group_gap(ClassMeasure("emotion", "ab"), [table], lone, speakers, ("x", "y"), "acc")
    assert not np.isnan(found.value)
    assert np.isnan(found.p)
    assert np.isnan(
        group_gap(ClassMeasure("emotion", "ab"), [table], lone, speakers, ("x", "z"), "acc").value
    )


def test_tightness_with_plain_loops() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 12)
    points = random.normal(size=(36, 5)) + 2 * labels[:, None]
    found = tightness(points, labels)
    silhouettes = []
    for i, x in enumerate(points):
        far = [
            [np.linalg.norm(x - y) for j, y in enumerate(points) if labels[j] == c and j != i]
            for c in range(3)
        ]
        a = sum(far[labels[i]]) / len(far[labels[i]])
        b = min(sum(d) / len(d) for c, d in enumerate(far) if c != labels[i])
        silhouettes.append((b - a) / max(a, b))
    assert found.silhouette == pytest.approx(np.mean(silhouettes))
    means = [points[labels == c].mean(axis=0) for c in range(3)]
    within = sum(np.linalg.norm(x - means[c]) for x, c in zip(points, labels, strict=True)) / 36
    apart = sum(np.linalg.norm(means[a] - means[b]) for a, b in [(0, 1), (0, 2), (1, 2)]) / 3
    assert found.ratio == pytest.approx(within / apart)
    assert silhouette_samples(points, labels).mean() == pytest.approx(found.silhouette)


def test_tightness_does_not_depend_on_scale_place_or_turning() -> None:
    random = np.random.default_rng(0)
    labels = np.array(["x", "y"] * 15)
    points = random.normal(size=(30, 4)) + (labels == "y")[:, None]
    turned = 7 * points @ np.linalg.qr(random.normal(size=(4, 4)))[0] - 3
    assert tightness(turned, labels) == pytest.approx(tightness(points, labels))
    closer = points - 0.5 * (
        points
        - np.where((labels == "y")[:, None], points[labels == "y"].mean(0), points[labels == "x"].mean(0))
    )
    assert tightness(closer, labels).silhouette > tightness(points, labels).silhouette
    assert tightness(closer, labels).ratio == pytest.approx(tightness(points, labels).ratio / 2)
    assert np.isnan(tightness(np.zeros((4, 2)), np.array([0, 0, 1, 1]))).all()
    assert np.isnan(tightness(points, np.zeros(30))).all()


def test_probabilities_come_out_of_a_prediction_table() -> None:
    table = pd.DataFrame(
        {"emotion": ["b", "", "a"], "emotion_p_a": [0.2, 0.5, 0.9], "emotion_p_b": [0.8, 0.5, 0.1]}
    )
    probabilities, labels = probabilities_of(table, "emotion", ["a", "b"])
    assert probabilities.tolist() == [[0.2, 0.8], [0.9, 0.1]]
    assert labels.tolist() == [1, 0]

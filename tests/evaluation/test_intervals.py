"""Intervals of ACC and BACC over speakers: derived again by loops and other libraries, and their coverage simulated."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from statsmodels.stats.proportion import proportion_confint

from affuse.evaluation.groups import group_gap, group_metrics
from affuse.evaluation.intervals import (
    FEW,
    clopper_pearson,
    independent_utterances,
    score_interval,
    shares,
    speaker_confusions,
    speaker_interval,
    speakers_in_words,
    spread_over_speakers,
)
from affuse.evaluation.measures import ClassMeasure


def simulate(
    random: np.random.Generator,
    speakers: int,
    tables: int = 1,
    classes: int = 3,
    spread: float = 0.8,
    each: int = 100,
    mean: float = 1.0,
):
    """Confusions of speakers who differ, of different sizes, with rarer and rarer classes."""
    prior = 0.6 ** np.arange(classes)
    n = random.integers(each // 2, each * 3 // 2, size=speakers)
    said = np.stack([random.multinomial(count, prior / prior.sum()) for count in n])[:, None]
    p = expit(mean + spread * random.normal(size=(speakers, 1, 1)))
    right = random.binomial(said, p, (speakers, tables, classes))
    confusions = np.zeros((speakers, tables, classes, classes))
    for i in range(classes):
        confusions[:, :, i, i] = right[..., i]
        confusions[:, :, i, i - 1] += said[..., i] - right[..., i]
    return confusions


@pytest.mark.parametrize("speakers", [2, 3, 5, 10])
def test_95_in_100_intervals_hold_the_truth(speakers: int) -> None:
    """Speakers who differ by 0.8 on the logit scale; the resamples' quantiles held 52, 72, 91 and 94."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    truth = weights @ expit(1 + 0.8 * nodes) / weights.sum()
    random, trials = np.random.default_rng(0), 500
    held = {"acc": 0, "bacc": 0}
    for _ in range(trials):
        confusions = simulate(random, speakers)
        for metric in held:
            _, low, high = speaker_interval(confusions, metric)
            held[metric] += low <= truth <= high
    assert 0.93 <= held["acc"] / trials <= 0.975
    assert 0.93 <= held["bacc"] / trials <= 0.975


@pytest.mark.parametrize("metric", ["acc", "bacc"])
def test_an_interval_holds_its_value_and_none_is_narrower_than_that_of_utterances(metric: str) -> None:
    random = np.random.default_rng(1)
    for trial in range(150):
        classes, tables = int(random.integers(2, 9)), int(random.integers(1, 4))
        confusions = simulate(
            random, int(random.integers(2, 12)), tables, classes, random.uniform(0, 2), each=12, mean=2
        )
        value, low, high = speaker_interval(confusions, metric)
        assert 0 <= low <= value <= high <= 1, trial
        assert high - low > 0.02, trial
        n = confusions[:, 0].sum()
        binomial = proportion_confint(value * n, n, method="beta")
        if metric == "acc":
            assert low <= binomial[0] + 1e-9, trial
            assert high >= binomial[1] - 1e-9, trial
        else:
            assert high - low >= binomial[1] - binomial[0] - 1e-9, trial


def test_a_class_that_one_of_two_speakers_says_does_not_give_an_interval_without_width() -> None:
    """It was 0.5667 [0.4167, 0.4167]: of the resamples one speaker is, only those of the first have both classes."""
    confusions = np.array([[[[4, 8], [2, 1]]], [[[10, 0], [0, 0]]]], float)
    value, low, high = speaker_interval(confusions, "bacc")
    assert value == pytest.approx((14 / 22 + 1 / 3) / 2)
    assert low < value - 0.3
    assert high > value + 0.3


def test_where_each_class_is_one_speakers_nothing_is_known() -> None:
    """A session of IEMOCAP and the task gender: how another man would do, one man does not tell."""
    confusions = np.array([[[[9, 1], [0, 0]]], [[[0, 0], [3, 7]]]], float)
    assert speaker_interval(confusions, "bacc") == (pytest.approx(0.8), 0.0, 1.0)
    assert np.isnan(speaker_interval(confusions[:1], "acc")[1:]).all()


def test_the_spread_by_loops() -> None:
    """Every e_i, and the matrix K of an effect that each speaker has, by hand."""
    confusions = simulate(np.random.default_rng(2), 6, tables=2, classes=3)
    confusions[:, 1, 2] = 0  # a class that one of the seeds' test parts lacks
    for metric in ("acc", "bacc"):
        right, said = shares(confusions, metric)
        speakers, tables, count = said.shape
        e, w, k = np.zeros(speakers), np.zeros(speakers), np.zeros((speakers, speakers))
        for t in range(tables):
            occurring = [c for c in range(count) if said[:, t, c].sum()]
            for c in occurring:
                weight = 1 / len(occurring) / tables
                x = said[:, t, c] / said[:, t, c].sum()
                recall = right[:, t, c].sum() / said[:, t, c].sum()
                for i in range(speakers):
                    e[i] += weight * (right[i, t, c] - recall * said[i, t, c]) / said[:, t, c].sum()
                    w[i] += weight * x[i]
                    k[i, i] += weight * x[i]
                    for j in range(speakers):
                        k[i, j] -= weight * x[i] * x[j]
        b = k.T @ k
        variance, df = spread_over_speakers(right, said)
        assert variance == pytest.approx((e**2).sum() * (w**2).sum() / np.trace(b))
        assert df == pytest.approx(np.trace(b) ** 2 / np.trace(b @ b))


def test_the_spread_of_equal_speakers_is_that_of_their_mean() -> None:
    """S^2 / n with n - 1 degrees of freedom."""
    right = np.array([3.0, 8, 6, 9, 5])[:, None, None]
    variance, df = spread_over_speakers(right, np.full((5, 1, 1), 10.0))
    assert variance == pytest.approx((right.ravel() / 10).var(ddof=1) / 5)
    assert df == pytest.approx(4)


def test_the_spread_has_no_bias_where_one_speaker_says_half() -> None:
    random, sizes = np.random.default_rng(3), np.array([500.0, 50, 100, 150, 200])
    found, values = [], []
    for _ in range(2000):
        right = (sizes * random.normal(0.6, 0.1, 5))[:, None, None]
        variance, df = spread_over_speakers(right, sizes[:, None, None])
        found.append(variance)
        values.append(right.sum() / sizes.sum())
    assert np.mean(found) == pytest.approx(np.var(values), rel=0.1)
    assert 1 < df < 3


def test_score_and_exact_intervals_are_those_of_the_books() -> None:
    low, high = score_interval(0.7, 0.004, 2.5)
    for p in (low, high):
        assert (0.7 - p) ** 2 == pytest.approx(2.5**2 * 0.004 * p * (1 - p) / 0.21)
    independent = 0.7 * 0.3 / 80  # without a design effect: Wilson's
    assert score_interval(0.7, independent, 1.959963985) == pytest.approx(
        proportion_confint(56, 80, method="wilson")
    )
    for hits, n in ((0, 9), (4, 9), (9, 9), (933, 1031)):
        assert clopper_pearson(hits / n, n, 0.95) == pytest.approx(
            proportion_confint(hits, n, method="beta"), abs=1e-9
        )


def test_utterances_of_a_rare_class_weigh_more() -> None:
    """Recalls 0.5 of 4 and 0.9 of 40: (0.25/4 + 0.09/40) / 4 is the variance of 0.21 / n."""
    n = independent_utterances(0.7, np.array([[2.0, 36]]), np.array([[4.0, 40]]))
    assert n == pytest.approx(0.21 / ((0.25 / 4 + 0.09 / 40) / 4))
    assert independent_utterances(1.0, np.array([[4.0, 40]]), np.array([[4.0, 40]])) == pytest.approx(
        4 / (1 / 4 + 1 / 40)
    )
    assert independent_utterances(0.25, np.array([[25.0]]), np.array([[100.0]])) == 100


def test_more_speakers_of_the_same_kind_make_it_narrower() -> None:
    confusions = np.array([[[[30, 10], [20, 40]]], [[[35, 5], [10, 50]]]], float)
    widths = []
    for times in (1, 2, 5, 20):
        _, low, high = speaker_interval(np.tile(confusions, (times, 1, 1, 1)), "acc")
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)


def table_of(spoken: dict[str, tuple[str, int, int]]):
    """Speaker -> (gender, right, wrong) as a prediction table, genders and speakers by id."""
    rows = [
        {"id": f"{name}{k}", "emotion": "ab"[k % 2], "emotion_predicted": "ab"[(k + (k >= right)) % 2], "g": gender}
        for name, (gender, right, wrong) in spoken.items()
        for k in range(right + wrong)
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    return table, table.set_index("id")["g"], pd.Series({row["id"]: row["id"][0] for row in rows})


def test_groups_whose_speakers_are_alike_have_intervals_and_no_gap_of_width_0() -> None:
    table, groups, speakers = table_of(
        {"a": ("f", 6, 0), "b": ("f", 6, 0), "c": ("m", 6, 0), "d": ("m", 6, 0)}
    )
    for row in (
        group_metrics(ClassMeasure("emotion", "ab"), [table], groups, speakers).dropna().to_dict("records")
    ):
        assert row["value"] == 1
        assert row["low"] < 0.75
    gap = group_gap(ClassMeasure("emotion", "ab"), [table], groups, speakers, ("f", "m"), "acc")
    assert gap.value == 0
    assert np.isnan([gap.low, gap.high, gap.p]).all()


def test_what_few_and_unknown_speakers_leave_open_is_said() -> None:
    assert speakers_in_words(pd.Series(list("abcdeabcde"))) == []
    for count in range(2, FEW + 1):
        (told,) = speakers_in_words(pd.Series(list("abcd"[:count] * 3)))
        assert told.startswith(f"Only {count} test speakers: how much speakers differ cannot be known")
    assert "no interval" in speakers_in_words(pd.Series(["a", "a"]))[0]
    (told,) = speakers_in_words(pd.Series(["a", "b", "c", "d", None, None]))
    assert told.startswith("2 of 6 test utterances have no speaker")


def test_an_utterance_without_a_speaker_is_one_of_its_own() -> None:
    table, _, _ = table_of({"a": ("f", 20, 10)})
    counts = speaker_confusions([table], "emotion", "ab", pd.Series(dtype=object))
    _, low, high = speaker_interval(counts, "acc")
    wilson, exact = (proportion_confint(20, 30, method=name) for name in ("wilson", "beta"))
    assert (low, high) == pytest.approx(exact, abs=0.02)
    assert low <= wilson[0] + 0.01

"""Metrics of several labels at once by plain loops and scikit-learn, thresholds by trying all, the interval again."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t
from sklearn.metrics import f1_score

from affuse.evaluation.intervals import Answers, Interval
from affuse.evaluation.label_sets import (
    SetAnswers,
    fit_thresholds,
    joined,
    measure_label_sets,
    measure_sets,
    parted,
    told,
)
from affuse.evaluation.measures import kind_of, measure_of
from affuse.evaluation.set_measure import SetMeasure, chance_of, f1_interval

LABELS = ["anger", "fear", "joy"]


def draw(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) of 0 and 1, and probabilities that tell something of them."""
    random = np.random.default_rng(seed)
    truth = (random.random((n, 3)) < [0.5, 0.25, 0.3]).astype(float)
    logits = 2 * (truth - 0.5) + random.normal(0, 1.2, (n, 3)) - 0.5
    return truth, 1 / (1 + np.exp(-logits))


def precision_at_hits(there: list[float], p: list[float]) -> float:
    """Average precision: over those that have the label, the share of rightly told ones among all told up to them."""
    total = 0.0
    for y, score in zip(there, p, strict=True):
        if y:
            above = [a for a, b in zip(there, p, strict=True) if b >= score]
            total += sum(above) / len(above)
    return total / sum(there)


def test_metrics_equal_plain_loops_and_scikit_learn() -> None:
    truth, p = draw(60)
    thresholds = [0.4, 0.3, 0.6]
    found = measure_sets(truth, p, thresholds, LABELS)
    f1, right, there, called = [], 0, 0, 0
    for j, threshold in enumerate(thresholds):
        pairs = [(y == 1, q >= threshold) for y, q in zip(truth[:, j], p[:, j], strict=True)]
        hits, has, tells = (
            sum(one) for one in ([a and b for a, b in pairs], [a for a, _ in pairs], [b for _, b in pairs])
        )
        precision, recall = hits / tells, hits / has
        f1.append(2 * precision * recall / (precision + recall))
        right, there, called = right + hits, there + has, called + tells
    precision, recall = right / called, right / there
    assert list(found.f1.values()) == pytest.approx(f1)
    assert found.macro_f1 == pytest.approx(sum(f1) / 3)
    assert found.micro_f1 == pytest.approx(2 * precision * recall / (precision + recall))
    ap = [precision_at_hits(truth[:, j].tolist(), p[:, j].tolist()) for j in range(3)]
    assert list(found.ap.values()) == pytest.approx(ap)
    assert found.map == pytest.approx(sum(ap) / 3)
    for average in ("macro", "micro"):
        expected = f1_score(truth, p >= thresholds, average=average)
        assert getattr(found, f"{average}_f1") == pytest.approx(expected)
    assert found.support == {label: int(n) for label, n in zip(LABELS, truth.sum(axis=0), strict=True)}


def test_a_label_that_nobody_has_is_left_out_of_means() -> None:
    truth, p = draw(40)
    truth[:, 1] = 0
    found, without = (
        measure_sets(truth, p, [0.5] * 3, LABELS),
        measure_sets(truth[:, ::2], p[:, ::2], [0.5] * 2, LABELS[::2]),
    )
    assert math.isnan(found.f1["fear"])
    assert math.isnan(found.ap["fear"])
    assert (found.macro_f1, found.map) == (without.macro_f1, without.map)
    assert found.micro_f1 < without.micro_f1  # those told fear are errors still
    with pytest.raises(ValueError, match="no labelled utterance"):
        measure_sets(truth[:0], p[:0], [0.5] * 3, LABELS)


def test_thresholds_are_the_best_of_all() -> None:
    truth, p = draw(50, seed=1)
    fitted = fit_thresholds(truth, p)
    best = measure_sets(truth, p, fitted, LABELS)
    for j, label in enumerate(LABELS):
        tried = [float(f1_score(truth[:, j], p[:, j] >= one, zero_division=0.0)) for one in p[:, j]]
        assert best.f1[label] == pytest.approx(max(tried))
        assert best.f1[label] >= measure_sets(truth, p, [0.5] * 3, LABELS).f1[label]
    assert fit_thresholds(np.zeros((4, 1)), p[:4, :1]) == [0.5]
    assert fit_thresholds(np.array([[1.0], [0.0]]), np.array([[0.7], [0.1]])) == [
        pytest.approx(0.4)
    ]  # in the middle


def test_a_table_holds_what_was_measured() -> None:
    truth, p = draw(30, seed=2)
    truth[3] = np.nan
    truth[4] = 0.0
    thresholds = fit_thresholds(np.delete(truth, 3, axis=0), np.delete(p, 3, axis=0))
    columns = SetAnswers(LABELS, truth, p, thresholds).columns("t")
    table = pd.DataFrame(
        {"id": [str(i) for i in range(30)], "role": ["test"] * 20 + ["validation"] * 10, **columns}
    )
    assert table["t"][3] == ""
    assert table["t"][4] == ";"
    assert parted(table["t_predicted"][0]) == [
        x for x, yes in zip(LABELS, told(p, thresholds)[0], strict=True) if yes
    ]
    kept = np.delete(np.arange(20), 3)
    for name, value in measure_sets(truth[kept], p[kept], thresholds, LABELS)._asdict().items():
        assert getattr(measure_label_sets(table, "t", LABELS, "test"), name) == pytest.approx(value, rel=1e-5)
    with pytest.raises(ValueError, match="no labelled utterance"):
        measure_label_sets(table[3:4], "t", LABELS)
    assert joined([False, False, False], LABELS) == ";"


def simulate(random: np.random.Generator, speakers: int, each: int) -> tuple[pd.DataFrame, pd.Series]:
    """Answers that are right with a probability of the speaker's own."""
    n, whose = speakers * each, np.repeat(np.arange(speakers), each)
    truth = random.random((n, 2)) < 0.4
    right = random.random((n, 2)) < np.clip(0.8 + random.normal(0, 0.12, (speakers, 2)), 0, 1)[whose]
    text = [[joined(row, LABELS[:2]) for row in rows] for rows in (truth, truth == right)]
    ids = [f"u{i}" for i in range(n)]
    return pd.DataFrame({"id": ids, "t": text[0], "t_predicted": text[1]}), pd.Series(
        [f"s{i}" for i in whose], index=ids
    )


def interval(table: pd.DataFrame, speakers: pd.Series, metric: str) -> Interval:
    measure = SetMeasure("t", LABELS[:2])
    return measure.interval(measure.speaker_sums([table], speakers), metric)


def test_the_interval_holds_the_true_value_nearly_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    right = float(np.clip(0.8 + random.normal(0, 0.12, 1_000_000), 0, 1).mean())
    truth = 2 * 0.4 * right / (0.4 + 0.4 * right + 0.6 * (1 - right))
    held, without = 0, 0
    for _ in range(100):
        table, speakers = simulate(random, 12, 20)
        low, high = interval(table, speakers, "macro_f1")[1:]
        held += low <= truth <= high
        low, high = interval(table, pd.Series(dtype=object), "macro_f1")[1:]
        without += low <= truth <= high
    assert 0.90 <= held / 100 <= 1
    assert without < held  # as if utterances of one speaker were independent


@pytest.mark.parametrize("average", ["macro", "micro"])
def test_the_interval_is_the_jackknife_of_speakers_on_the_logit_scale(average: str) -> None:
    table, speakers = simulate(np.random.default_rng(2), 4, 9)
    whose = speakers[table["id"]].to_numpy()

    def f1(rows: pd.DataFrame) -> float:
        sets = [
            [[label in parted(one) for label in LABELS[:2]] for one in rows[name]]
            for name in ("t", "t_predicted")
        ]
        return float(f1_score(*sets, average=average))

    left_out = [
        math.log(f1(table[whose != name]) / (1 - f1(table[whose != name]))) for name in sorted(set(whose))
    ]
    middle = sum(left_out) / 4
    error = math.sqrt(3 / 4 * sum((one - middle) ** 2 for one in left_out))
    value, low, high = interval(table, speakers, f"{average}_f1")
    assert value == pytest.approx(f1(table))
    assert math.log(low / (1 - low)) == pytest.approx(math.log(value / (1 - value)) - t.ppf(0.975, 3) * error)
    assert math.log(high / (1 - high)) == pytest.approx(
        math.log(value / (1 - value)) + t.ppf(0.975, 3) * error
    )


def test_one_speaker_or_perfect_answers_have_no_interval() -> None:
    table, speakers = simulate(np.random.default_rng(0), 1, 9)
    assert math.isnan(interval(table, speakers, "micro_f1").low)
    alike = np.array(
        [[[[4, 1], [5, 2], [5, 2]]]] * 3
    )  # of speakers who do not differ nothing is known of others
    assert np.isnan(f1_interval(alike, "macro_f1")[1:]).all()
    perfect = table.assign(t_predicted=table["t"])
    assert interval(perfect, pd.Series(dtype=object), "micro_f1").value == 1


def test_chance_is_that_of_all_permutations() -> None:
    """Of six utterances all 720 orders of the answers are tried."""
    truth, p = draw(6, seed=5)
    truth, called = truth.astype(bool), p > 0.4
    of = Answers(pd.Series(range(6)), ["s"] * 6, truth, called)
    tried = [
        float(
            f1_score(truth[:, truth.any(axis=0)], called[list(order)][:, truth.any(axis=0)], average="macro")
        )
        for order in permutations(range(6))
    ]
    chance, found = chance_of([of])
    assert chance == pytest.approx(np.mean(tried))
    value = f1_score(truth[:, truth.any(axis=0)], called[:, truth.any(axis=0)], average="macro")
    assert found == pytest.approx(1 - norm.cdf((float(value) - np.mean(tried)) / np.std(tried)))
    assert chance_of([of, of]) == pytest.approx((chance, found))
    assert math.isnan(chance_of([of.where(np.arange(6) < 1)])[0])


def test_sums_of_speakers_are_those_of_all() -> None:
    table, speakers = simulate(np.random.default_rng(3), 5, 7)
    table = table.assign(t_p_anger=0.5, t_p_fear=0.5)
    table.loc[:3, "t"] = ""
    measure = SetMeasure("t", LABELS[:2])
    sums = measure.speaker_sums([table], speakers)
    values = measure.values(table)
    for metric in ("macro_f1", "micro_f1"):
        assert measure.of(sums.sum(axis=0), metric)[0] == pytest.approx(values[metric])
    assert measure.utterances(sums).sum() == measure.known(table).sum() == 31
    worse = table.assign(t_predicted=";")
    found = measure.difference(sums, measure.speaker_sums([worse], speakers), "micro_f1")
    assert found.value == pytest.approx(-values["micro_f1"])
    with pytest.raises(ValueError, match="same utterances on both sides"):
        measure.difference(sums, measure.speaker_sums([table.iloc[:-1]], speakers), "micro_f1")
    assert measure_of("t", {"kind": "multilabel", "classes": LABELS[:2]}).metrics == measure.metrics
    assert kind_of(["macro_f1", "micro_f1", "map"]) is SetMeasure

"""Metrics against plain loops and scikit-learn's own functions."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    recall_score,
)

from affuse.evaluation.intervals import accuracy, balanced_accuracy
from affuse.evaluation.metrics import measure
from affuse.evaluation.predictions import measure_table, prediction_table

CLASSES = ["a", "b", "c"]


def test_against_scikit_learn() -> None:
    random = np.random.default_rng(0)
    labels, called = random.integers(0, 3, 200), random.integers(0, 3, 200)
    found = measure(labels, called, CLASSES)
    assert found.acc == pytest.approx(accuracy_score(labels, called))
    assert found.bacc == pytest.approx(balanced_accuracy_score(labels, called))
    assert found.macro_f1 == pytest.approx(f1_score(labels, called, average="macro"))
    assert found.weighted_f1 == pytest.approx(f1_score(labels, called, average="weighted"))
    assert list(found.recall.values()) == pytest.approx(recall_score(labels, called, average=None))
    assert accuracy(found.confusion) == pytest.approx(found.acc)
    assert balanced_accuracy(found.confusion) == pytest.approx(found.bacc)


@settings(deadline=None)
@given(data=st.data(), classes=st.integers(2, 9))
def test_every_metric_is_scikit_learns_to_the_last_bit(data: st.DataObject, classes: int) -> None:
    """Classes that do not occur, classes never called, a single utterance: tables made before stay as they are."""
    some = st.lists(st.integers(0, classes - 1), min_size=1, max_size=classes)
    drawn = [data.draw(some), data.draw(some)]
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n = data.draw(st.integers(1, 60))
    labels, called = (random.choice(one, n) for one in drawn)
    found = measure(labels, called, [str(i) for i in range(classes)])
    occurring = sorted(set(labels.tolist()))
    chosen: dict[str, Any] = {"labels": occurring, "zero_division": 0}
    assert found.acc == accuracy_score(labels, called)
    assert found.bacc == recall_score(labels, called, average="macro", **chosen)
    assert found.macro_f1 == f1_score(labels, called, average="macro", **chosen)
    assert found.weighted_f1 == f1_score(labels, called, average="weighted", **chosen)
    assert found.confusion.tolist() == confusion_matrix(labels, called, labels=range(classes)).tolist()
    recalls = recall_score(labels, called, average=None, **chosen)
    assert [found.recall[str(i)] for i in occurring] == recalls.tolist()
    assert sum(np.isnan(list(found.recall.values()))) == classes - len(occurring)


def test_acc_and_bacc_by_hand() -> None:
    """ACC weighs utterances, BACC classes: 8 of 10 and (8/8 + 0/2) / 2."""
    found = measure([0] * 8 + [1] * 2, [0] * 10, CLASSES)
    assert found.acc == pytest.approx(0.8)
    assert found.bacc == pytest.approx(0.5)
    assert found.recall["a"] == 1
    assert np.isnan(found.recall["c"])
    assert found.confusion.tolist() == [[8, 0, 0], [2, 0, 0], [0, 0, 0]]


def test_a_class_called_but_absent_counts_against_acc_only() -> None:
    found = measure([0, 1], [0, 2], CLASSES)
    assert (found.acc, found.bacc) == (0.5, 0.5)


def test_nothing_to_measure() -> None:
    with pytest.raises(ValueError, match="no labelled utterance"):
        measure([], [], CLASSES)


def test_prediction_table_leaves_blanks_blank() -> None:
    probabilities = {"emotion": np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7], [0.3, 0.4, 0.3]])}
    labels = {"emotion": np.array([0, -1, 2])}
    table = prediction_table(["u1", "u2", "u3"], "test", 4, probabilities, labels, {"emotion": CLASSES})
    assert table["emotion"].tolist() == ["a", "", "c"]
    assert table["emotion_predicted"].tolist() == ["a", "c", "b"]
    assert table["emotion_p_b"].tolist() == [0.2, 0.2, 0.4]
    found = measure_table(table, "emotion", CLASSES)
    assert (found.n, found.acc) == (2, 0.5)


def test_a_constant_predictor_has_bacc_one_half_in_every_resample() -> None:
    import pandas as pd

    from affuse.evaluation.intervals import speaker_confusions, speaker_interval
    from affuse.evaluation.resampling import draw_speakers, resample

    rows = [
        {"id": f"{s}{k}", "gender": g, "gender_predicted": "male"}
        for s, g in [("a", "male"), ("b", "female"), ("c", "male")]
        for k in range(4)
    ]
    table = pd.DataFrame(rows)
    speakers = pd.Series({row["id"]: row["id"][0] for row in rows})
    counts = speaker_confusions([table], "gender", ["female", "male"], speakers)
    values = resample(counts, draw_speakers(3, 50), "bacc")
    assert set(values[~np.isnan(values)]) == {0.5}
    value, low, high = speaker_interval(counts, "bacc")
    assert value == 0.5
    assert low < 0.4
    assert high > 0.6

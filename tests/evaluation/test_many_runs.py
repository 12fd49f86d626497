"""Scores of many runs at once against scikit-learn, run by run."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score

from affuse.evaluation.many_runs import score_runs
from affuse.evaluation.metrics import measure


def drawn(
    seed: int, runs: int, n: int, classes: int, blanks: float, used: int
) -> tuple[np.ndarray, np.ndarray]:
    """Answers and labels; only ``used`` of the classes occur among the labels, all of them among the answers."""
    random = np.random.default_rng(seed)
    labels = random.permuted(np.tile(np.arange(classes), (runs, 1)), axis=1)[:, :used]
    labels = np.take_along_axis(labels, random.integers(0, used, (runs, n)), axis=1)
    labels[random.random((runs, n)) < blanks] = random.integers(-3, 0)
    return random.integers(0, classes, (runs, n)), labels


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32),
    runs=st.integers(1, 5),
    n=st.integers(0, 30),
    classes=st.integers(1, 9),
    blanks=st.sampled_from([0.0, 0.3, 1.0]),
    data=st.data(),
)
def test_against_scikit_learn(
    seed: int, runs: int, n: int, classes: int, blanks: float, data: st.DataObject
) -> None:
    predicted, labels = drawn(seed, runs, n, classes, blanks, data.draw(st.integers(1, classes)))
    acc, bacc = score_runs(torch.from_numpy(predicted), torch.from_numpy(labels), classes)
    assert acc.dtype == bacc.dtype == torch.float64
    assert acc.shape == bacc.shape == (runs,)
    for r in range(runs):
        known = labels[r] >= 0
        if not known.any():
            assert acc[r].isnan()
            assert bacc[r].isnan()
            continue
        true, called = labels[r][known], predicted[r][known]
        occurring = sorted(set(true.tolist()))
        assert float(acc[r]) == pytest.approx(accuracy_score(true, called), abs=1e-12)
        recalls = recall_score(true, called, labels=occurring, average="macro", zero_division=0)
        assert float(bacc[r]) == pytest.approx(recalls, abs=1e-12)
        if len(occurring) > 1 and set(called.tolist()) <= set(occurring):  # else scikit-learn warns
            assert float(bacc[r]) == pytest.approx(balanced_accuracy_score(true, called), abs=1e-12)
        one = measure(true, called, [str(i) for i in range(classes)])
        assert (float(acc[r]), float(bacc[r])) == pytest.approx((one.acc, one.bacc), abs=1e-12)
        if classes < 8:  # from 8 numbers on numpy's mean adds them in another order
            assert (float(acc[r]), float(bacc[r])) == (one.acc, one.bacc)


def test_by_hand() -> None:
    """8 of 10 and (8/8 + 0/2) / 2; the class that is called but absent counts against ACC only."""
    labels = torch.tensor([[0] * 8 + [1] * 2, [0, 1] + [-1] * 8])
    predicted = torch.tensor([[0] * 10, [0, 2] + [1] * 8])
    acc, bacc = score_runs(predicted, labels, 3)
    assert acc.tolist() == [0.8, 0.5]
    assert bacc.tolist() == [0.5, 0.5]


def test_a_run_does_not_depend_on_its_neighbours() -> None:
    predicted, labels = (torch.from_numpy(x) for x in drawn(0, 40, 200, 7, 0.2, 7))
    together = score_runs(predicted, labels, 7)
    for r in range(40):
        alone = score_runs(predicted[r : r + 1], labels[r : r + 1], 7)
        assert torch.equal(alone.acc[0], together.acc[r])
        assert torch.equal(alone.bacc[0], together.bacc[r])

"""The threshold of unsure, against a plain search; the temperature, against a grid."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.evaluation.confidence import Confidence, fit_confidence, unsure_below


@given(st.lists(st.tuples(st.sampled_from([0.3, 0.4, 0.5, 0.6, 0.7, 0.9]), st.booleans()), max_size=12))
def test_below_the_threshold_half_are_wrong_and_no_higher_one_does_it(pairs):
    confidence = np.array([c for c, _ in pairs])
    right = np.array([r for _, r in pairs], bool)
    found = unsure_below(confidence, right)

    def answers_below(threshold):
        return [r for c, r in pairs if c < threshold]

    def poor(threshold):
        below = answers_below(threshold)
        return bool(below) and sum(below) * 2 <= len(below)

    possible = [t for t in (0.35, 0.45, 0.55, 0.65, 0.8, 1.0) if poor(t)]
    if not possible:
        assert not answers_below(found)
    else:
        assert answers_below(found) == answers_below(max(possible))


def test_the_fit_reads_only_what_it_is_given_and_sharpens_or_softens():
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 400)
    right = random.random(400) < 0.7
    p = np.where(right, 0.95, 0.05)  # far too sure: right in 70 %
    first = np.where(labels == 0, p, 1 - p)
    table = pd.DataFrame({
        "emotion": np.array(["a", "b"])[labels], "emotion_p_a": first, "emotion_p_b": 1 - first,
    })  # fmt: skip
    found = fit_confidence(table, "emotion", ["a", "b"])
    assert found.utterances == 400
    logit = np.log(0.95 / 0.05)  # of two classes: T makes sigmoid(logit / T) the share that is right
    assert found.temperature == pytest.approx(logit / np.log(right.mean() / (1 - right.mean())), rel=1e-3)
    assert fit_confidence(table[:0], "emotion", ["a", "b"]) == Confidence()

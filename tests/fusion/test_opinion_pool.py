"""The opinion pool: probabilities of classifiers by hand, tasks that a classifier knows nothing of, and bad options."""

from typing import Any

import numpy as np
import pytest
import torch

from affuse.errors import AffuseError
from affuse.fusion.opinion_pool import OpinionPool, OpinionPoolOptions
from affuse.sequence import pad

WIDTHS = {"text": 5, "audio": 3}
SCORES = {
    "text": {"emotion": [[0, 4], [1], [2]]},  # score 3 is no class
    "audio": {"emotion": [[2], [0], [1]], "gender": [[0], [1]]},
}


def softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x))
    return e / e.sum()


def test_probabilities_by_plain_loops() -> None:
    rng = np.random.default_rng(0)
    pool = OpinionPool(WIDTHS, OpinionPoolOptions(scores=SCORES, weights={"text": 3.0}))
    temperature = 1.7
    with torch.no_grad():
        pool.log_temperatures["emotion"][0] = np.log(temperature)
    rows = [(2, 1), (1, None), (None, 3), (None, None)]  # steps of text and audio
    clips: dict[str, list[Any]] = {
        name: [None if row[i] is None else rng.normal(size=(row[i], width)) for row in rows]
        for i, (name, width) in enumerate(WIDTHS.items())
    }
    batch = {
        name: pad([None if c is None else torch.tensor(c).float() for c in clips[name]]) for name in WIDTHS
    }
    found = pool(batch).exp().detach().numpy()
    assert found.shape == (4, 5)
    assert pool.tasks == {"emotion": slice(0, 3), "gender": slice(3, 5)}
    for row in range(4):
        total, weight = np.zeros(3), 0.0
        for name, share, t in (("text", 3.0, temperature), ("audio", 1.0, 1.0)):
            steps = clips[name][row]
            if steps is None:
                continue
            opinions = []
            for x in steps:
                p = np.exp(x / t)
                p = np.array([p[group].sum() for group in SCORES[name]["emotion"]])
                opinions.append(p / p.sum())
            total, weight = total + share * np.mean(opinions, axis=0), weight + share
        expected = total / weight if weight else np.full(3, 1 / 3)
        np.testing.assert_allclose(found[row, :3], expected, rtol=1e-5)
        heard = clips["audio"][row]
        gender = np.full(2, 0.5) if heard is None else np.mean([softmax(x[:2]) for x in heard], axis=0)
        np.testing.assert_allclose(found[row, 3:], gender, rtol=1e-5)


def test_one_classifier_of_the_same_classes_gives_its_own_probabilities() -> None:
    pool = OpinionPool({"audio": 4}, OpinionPoolOptions(scores={"audio": {"emotion": [[0], [1], [2], [3]]}}))
    scores = 5 * torch.randn(6, 1, 4)
    found = pool({"audio": pad(list(scores))})
    torch.testing.assert_close(found, scores[:, 0].log_softmax(dim=1))


def test_scores_beyond_any_range_stay_finite() -> None:
    pool = OpinionPool({"audio": 2}, OpinionPoolOptions(scores={"audio": {"emotion": [[0], [1]]}}))
    found = pool({"audio": pad([torch.tensor([[3e4, -3e4]])])})
    assert torch.isfinite(found).all()
    assert found[0, 0] == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"scores": {"audio": {"emotion": [[0], [3]]}}}, "gives 3 scores, and emotion names score 3"),
        (
            {"scores": {"video": {"emotion": [[0], [1]]}}},
            "names 'video', which is none of the modalities text",
        ),
        ({"scores": {}}, "scores names no task"),
        ({"scores": {"audio": {"emotion": [[0], []]}}}, "no score for class 1 of emotion"),
        (
            {"scores": {"audio": {"emotion": [[0]]}, "text": {"emotion": [[0], [1]]}}},
            "'text' names 2 classes of emotion, another modality 1",
        ),
        ({"scores": SCORES, "weights": {"text": 0}}, "the weight of 'text' is a number above 0, not 0"),
    ],
)
def test_wrong_options_are_one_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AffuseError) as caught:
        OpinionPool(WIDTHS, OpinionPoolOptions(**options))
    assert sentence in str(caught.value)

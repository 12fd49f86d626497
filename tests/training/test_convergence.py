"""A run says in a sentence when its network did not train: in its result, on its card, on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from affuse import Run
from affuse.evaluation.convergence import chance_p
from affuse.evaluation.measures import Measure, measures_of
from affuse.recipe import Recipe, Training
from affuse.training.cache import FeatureCache
from affuse.training.convergence import training_in_words
from affuse.training.experiment import set_up
from affuse.training.fold import train_fold
from quiet import Quiet
from small_corpus import make_corpus

CLASSES = ["anger", "neutral"]
FALLING = [1.0, 0.7, 0.5, 0.4, 0.35, 0.32, 0.3, 0.29, 0.28, 0.28]
SPACES = {"emotion": CLASSES}


def answers(right: int, of: int = 40) -> pd.DataFrame:
    """A test part of which ``right`` answers are right, classes in turn."""
    labels = [CLASSES[i % 2] for i in range(of)]
    called = [label if i < right else CLASSES[1 - i % 2] for i, label in enumerate(labels)]
    return pd.DataFrame({"role": "test", "emotion": labels, "emotion_predicted": called})


def measures(spaces: dict[str, list[str]]) -> list[Measure]:
    return list(measures_of(spaces).values())


def said(losses: list[float], right: int, kept: int = 5, allowed: int = 10, **columns: list[float]) -> str:
    history = pd.DataFrame({"train_loss_emotion": losses, **columns})
    return training_in_words(history, kept, Training(epochs=allowed), answers(right), measures(SPACES))


def test_a_network_that_trained_needs_no_word() -> None:
    assert said(FALLING, 36) == ""


@pytest.mark.parametrize(
    ("losses", "what", "cure"),
    [
        ([1.0] * 10, "the network never left the start", "standardised features"),
        ([1.0, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8], "the training diverged", "a lower optimizer.lr"),
    ],
)
def test_what_the_curve_shows_is_said_with_a_cure(losses: list[float], what: str, cure: str) -> None:
    sentence = said(losses, 36)
    assert sentence.startswith(
        f"Not trained well enough: {what}. These numbers say nothing of the method. Try "
    )
    assert cure in sentence
    assert sentence.endswith(".")


def test_a_training_that_was_cut_off_is_no_failure() -> None:
    falling = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]
    watched: dict[str, Any] = {
        "validation_loss_emotion": falling,
        "validation_bacc_emotion": [0.5 + 0.03 * i for i in range(10)],
    }
    assert said(falling, 36, kept=10, **watched) == (
        "Not trained to the end: the network was still improving in the last epochs. Try more training.epochs."
    )


def test_chance_is_said_with_its_p_value() -> None:
    found = said(FALLING, 22)
    p = chance_p([np.array([[11, 9], [9, 11]])])
    assert p > 0.05
    assert f"emotion BACC 55.0 is no better than chance (50.0; p = {p:.2f})" in found
    assert found.count("Try ") == 1


def test_a_task_above_chance_has_left_the_start_for_all() -> None:
    """The first epoch of ten was the best: without any answer above chance that is a network that never left it."""
    table = answers(36).assign(gender=["female", "male"] * 20, gender_predicted="male")
    spaces = SPACES | {"gender": ["female", "male"]}
    history = pd.DataFrame({"train_loss_emotion": FALLING, "train_loss_gender": FALLING})
    both = training_in_words(history, 1, Training(epochs=10), table, measures(spaces))
    alone = training_in_words(history, 1, Training(epochs=10), table, measures({"gender": spaces["gender"]}))
    assert "never left" not in both
    assert "gender BACC 50.0 is no better than chance" in both
    assert "never left" in alone


def test_a_card_and_a_result_say_so(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "place", speakers=6, each=2)
    changes = [
        "modalities.text=null", "modalities.audio.encoder=logmel", "modalities.audio.options.bands=8", "lr=1e-9",
        "epochs=5", "training.patience=null",
    ]  # fmt: skip
    cache = FeatureCache(tmp_path / "cache")
    experiment = set_up(corpus, Recipe.load("server", changes), cache, Quiet())
    result = train_fold(experiment, experiment.recipe, 0, tmp_path / "run")
    assert result.training.startswith("Not trained well enough: ")
    assert "is no better than chance (33.3; p = " in result.training
    assert f"**{result.training}**" in (tmp_path / "run" / "model" / "README.md").read_text(encoding="utf-8")
    assert result.training in Run.load(tmp_path / "run").sentences

"""What ``set`` and ``over`` take from Python, and what recipes read from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.errors import AffuseError
from affuse.files.yaml_text import flow_text, read_value
from affuse.recipe import Recipe
from affuse.recipe.axes import axes_of, overrides_of

LETTERS = st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\x85\u2028\u2029\ufeff")
SCALARS = (
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.floats(allow_nan=False) | st.text(LETTERS)
)
NAMES = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
VALUES = st.recursive(
    SCALARS, lambda one: st.lists(one, max_size=3) | st.dictionaries(NAMES, one, max_size=3)
)


@given(VALUES)
def test_any_plain_value_is_read_as_it_was_given(value: Any) -> None:
    read = read_value(flow_text(value), "field")
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "text", ["no", "01", "1e-4", "null", "true", "~", "", "a: b", "[x", "'q'", " x", "!t", "a,b"]
)
def test_a_text_that_looks_like_something_else_stays_a_text(text: str) -> None:
    (override,) = overrides_of({"description": text})
    assert Recipe.load("server", [override]).description == text


def test_values_of_every_kind_reach_the_recipe() -> None:
    changes = {
        "optimizer.lr": 1e-5, "training.patience": None, "training.epochs": np.int64(7), "modalities.text": None,
        "tasks.emotion.loss": [{"name": "center", "weight": 0.5}], "modalities.audio.options.weights": Path("a b.pth"),
    }  # fmt: skip
    recipe = Recipe.load("server", overrides_of(changes))
    assert recipe.optimizer.lr == 1e-5
    assert recipe.training.patience is None
    assert recipe.training.epochs == 7
    assert list(recipe.modalities) == ["audio"]
    assert (recipe.tasks["emotion"].loss[0].name, recipe.tasks["emotion"].loss[0].weight) == ("center", 0.5)
    assert recipe.modalities["audio"].options["weights"] == "a b.pth"


def test_texts_are_taken_as_they_are_typed() -> None:
    assert overrides_of(["lr=3e-4", "epochs=2"]) == ["lr=3e-4", "epochs=2"]
    assert overrides_of("lr=3e-4") == ["lr=3e-4"]
    assert overrides_of(None) == []
    assert axes_of(["loss=a, b", "seed=0,1"]) == {"loss": ["a", "b"], "seed": ["0", "1"]}


def test_an_axis_takes_values_of_every_kind() -> None:
    over = {
        "seed": range(2),
        "optimizer.lr": (1e-3, 3e-4),
        "training.patience": [None, 5],
        "corpus.trim": [True, False],
    }
    assert axes_of(over) == {
        "seed": ["0", "1"], "optimizer.lr": ["0.001", "0.0003"], "training.patience": ["null", "5"],
        "corpus.trim": ["true", "false"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("over", "message"),
    [
        (
            {"seed": "0,1"},
            "'seed' takes a list of values, not '0,1'; for example over={'seed': \\[0, 1, 2\\]}",
        ),
        ({"seed": 3}, "takes a list of values, not 3"),
        ({"seed": []}, "'seed' has no value"),
        ({"seed": [0, 0]}, "'seed' has a value twice"),
        ({"loss": [print]}, "is not a plain value"),
        (["loss"], "axis=value"),
        (["seed="], "axis=value"),
        (["seed=0,0"], "stands twice"),
        (["lr=1e-3,0.001"], "stands twice"),
        (["seed=0", "seed=1"], "names the axis 'seed' twice"),
        (["training.patience=,2"], "a value is empty; write null for no value"),
    ],
)
def test_a_wrong_axis_is_one_sentence_that_names_the_argument(over: Any, message: str) -> None:
    with pytest.raises(AffuseError, match=message) as found:
        axes_of(over)
    assert "over" in str(found.value)
    assert "--" not in str(found.value)

"""What is passed to the public functions: another type is one sentence, and nothing is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import affuse
from affuse.api.experiments import _folds, _seeds
from affuse.arguments import checked
from affuse.inference.settings import Settings

FRAME = pd.DataFrame({"text": ["a b", "c d"], "emotion": ["x", "y"]})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"recipe": None}, "recipe takes a text, a path or a Recipe, not None"),
        ({"corpus": FRAME}, "corpus takes a Corpus, a text or a path, not a DataFrame"),
        ({"out": 3}, "out takes a text or a path, not 3"),
        ({"fold": 1.0}, "fold takes a whole number, not 1.0"),  # trained, and wrote a fold 1.0
        ({"fold": True}, "fold takes a whole number, not True"),
        ({"seed": 1.5}, "seed takes a whole number or None, not 1.5"),
        ({"set": 3}, "set takes a mapping, a list, a text or None, not 3"),
        ({"set": [3]}, "3 changes no field of a recipe"),
        ({"seed": 2**32}, "seed: should be less than 4294967296"),
        ({"live": "no"}, "live takes True or False, not 'no'"),  # was taken for yes
        ({"progress": print}, "progress takes a Progress or None, not a builtin_function_or_method"),
    ],
)
def test_a_value_of_another_type_is_one_sentence(given: Any, message: str, tmp_path: Path) -> None:
    arguments = {"recipe": "voice-offline", "corpus": "nowhere", "out": tmp_path / "run"} | given
    with pytest.raises(affuse.AffuseError, match=message):
        affuse.train(**arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"folds": []}, "folds names no fold"),
        ({"folds": [0, 0]}, "folds names a fold twice"),
        ({"folds": "01"}, "folds takes a list or None, not '01'"),
        ({"folds": [True]}, "Folds are whole numbers, not True"),
        ({"over": [3]}, "over takes texts like seed=0,1,2, or a mapping, not 3"),
        ({"jobs": 0}, "jobs takes a whole number from 1, not 0"),
        ({"jobs": -1}, "jobs takes a whole number from 1, not -1"),
        ({"jobs": "2"}, "jobs takes a whole number or None, not '2'"),
        ({"baseline": "no"}, "baseline takes True or False, not 'no'"),
    ],
)
def test_so_it_is_for_a_comparison(given: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(affuse.AffuseError, match=message):
        affuse.compare("voice-offline", "nowhere", tmp_path / "grid", **given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("function", "slip", "message"),
    [
        (affuse.load, "sourc", r"affuse\.load has no argument 'sourc' \(did you mean 'source'"),
        (affuse.build, "label_space", "affuse.build has no argument 'label_space'.*'label_spaces'"),
        (affuse.Corpus.from_frame, "nme", "affuse.Corpus.from_frame has no argument 'nme'.*'name'"),
        (affuse.Run.report, "overwite", "affuse.Run.report has no argument 'overwite'.*'overwrite'"),
        (affuse.Evaluation.save, "foldr", "affuse.Evaluation.save has no argument 'foldr'.*'folder'"),
        (affuse.Timeline.plot, "tsk", "affuse.Timeline.plot has no argument 'tsk'.*'task'"),
    ],
)
def test_a_slip_in_any_public_call_is_answered_with_the_nearest(
    function: Any, slip: str, message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        function("a", **{slip: 1})


@pytest.mark.parametrize("load", [affuse.load, affuse.Run.load, affuse.Grid.load, affuse.Corpus.load])
def test_what_is_no_folder_is_refused_by_name(load: Any) -> None:
    with pytest.raises(affuse.AffuseError, match=r"takes a text or a path, not None"):
        load(None)


def test_numbers_of_numpy_are_taken_as_pythons() -> None:
    @checked
    def function(fold: int, live: bool = False) -> tuple[Any, Any]:
        return fold, live

    for value in function(np.int64(3), np.bool_(True)):  # type: ignore[arg-type]
        assert type(value) in (int, bool)
    assert _folds(None, np.arange(2)) == [0, 1]
    assert _seeds(np.arange(2)) == (0, 1)
    with pytest.raises(affuse.AffuseError, match="seeds takes different whole numbers"):
        _seeds([np.float64(1)])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"labels": ["x", "y"]}, "labels takes a mapping or None, not"),
        ({"labels": {"emotion": "xy"}}, "labels.emotion: Input should be a valid list"),
        ({"labels": {"emotion": {"x": 1}}}, "labels.emotion.x: 1 is not a text; write it in quotes"),
        ({"labels": {"emotion": ["x", "x", "y"]}}, "labels.emotion names 'x' twice"),
        ({"columns": ["text"]}, "columns takes a mapping or None, not"),
        ({"notes": "hello"}, "notes takes a list, not 'hello'"),  # was kept letter by letter
        ({"require": "emotion"}, "require takes a list, not 'emotion'"),
        ({"media_root": 3}, "media_root takes a text, a path or None, not 3"),
        ({"name": None}, "name takes a text, not None"),
    ],
)
def test_what_a_frame_is_said_to_hold_is_checked(given: Any, message: str) -> None:
    with pytest.raises(affuse.AffuseError, match=message):
        affuse.Corpus.from_frame(FRAME, **given)


def test_a_number_is_one_label_however_it_was_typed() -> None:
    frame = pd.DataFrame({"text": ["a", "b", "c", "d"], "emotion": [1, "1", 1.0, None]})
    assert affuse.Corpus.from_frame(frame).info.label_spaces["emotion"] == ["1"]


@pytest.mark.parametrize(
    ("spaces", "message"),
    [
        ({"emotoin": ["a", "b"]}, "There is no 'emotoin' among the tasks of this recipe"),  # was passed over
        ({"emotion": "ab"}, "label_spaces: the classes of 'emotion' are a list of different texts, not 'ab'"),
        ({"emotion": ["a", "a"]}, "a list of different texts"),
        ({"emotion": [1, 2]}, "a list of different texts"),
    ],
)
def test_the_classes_of_a_network_are_checked(spaces: Any, message: str) -> None:
    with pytest.raises(affuse.AffuseError, match=message):
        affuse.build("voice-offline", spaces)


@pytest.mark.parametrize("other", [3, None])
def test_labels_are_renamed_to_texts(other: Any, tmp_path: Path) -> None:
    corpus, model = affuse.Corpus.from_frame(FRAME), affuse.build("voice-offline")
    with pytest.raises(affuse.AffuseError, match=f"rename takes label to label, both texts, not x: {other}"):
        affuse.evaluate(model, corpus, rename={"x": other})


def test_a_reader_may_have_an_option_called_name(tmp_path: Path) -> None:
    """As ``csv`` has: it clashed with the first parameter of ``affuse.prepare``."""
    FRAME.to_csv(tmp_path / "mine.csv", index=False)
    corpus = affuse.prepare("csv", tmp_path / "mine.csv", tmp_path / "corpus", name="theirs")
    assert corpus.info.name == "theirs"
    about = tmp_path / "corpus" / "corpus.yaml"
    about.write_text(about.read_text("utf-8") + "# edited\n", "utf-8")
    with pytest.raises(affuse.AffuseError, match="overwrite"):
        affuse.prepare("csv", tmp_path / "mine.csv", tmp_path / "corpus", name="theirs")
    affuse.prepare("csv", tmp_path / "mine.csv", tmp_path / "corpus", name="theirs", overwrite=True)


@pytest.mark.parametrize("name", ["window", "channel", "batch", "unsure"])
def test_a_truth_value_is_no_number_of_a_prediction(name: str) -> None:
    with pytest.raises(affuse.AffuseError, match=f"{name} takes .*, not True"):
        Settings.of({name: True})


def test_a_function_is_taken_where_one_is_asked_for() -> None:
    said: list[str] = []
    with pytest.raises(affuse.AffuseError, match="port takes a whole number from 0 to 65535, not 70000"):
        affuse.serve(port=70_000, tell=said.append)
    wrong: Any = "loudly"
    with pytest.raises(affuse.AffuseError, match="tell takes a function, not 'loudly'"):
        affuse.serve(tell=wrong)

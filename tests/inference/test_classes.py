"""Answers among some of a model's classes: renormalised, judged by what the network gave among all, and said."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affuse.errors import AffuseError
from affuse.evaluation.confidence import Confidence
from affuse.inference.chosen_classes import choose_classes
from affuse.inference.judge import Judge
from affuse.inference.windows import Moment
from affuse.models.defaults import PredictionDefaults
from affuse.models.network import Model
from affuse.models.saving import save_model
from affuse.recipe import Recipe
from audio_files import write_sound
from command import affuse as command
from voices import RATE, recording

SPACE = ["anger", "happiness", "sadness", "neutral"]
SPACES = {"emotion": SPACE, "gender": ["female", "male"]}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    recipe = Recipe.parse({
        "name": "tried", "modalities": {"audio": {"encoder": "logmel", "options": {"bands": 16}}},
        "tasks": {"emotion": {}, "gender": {}},
    })  # fmt: skip
    made = Model(recipe, SPACES).eval()
    fitted = Confidence(temperature=2.0, unsure_below=0.4, utterances=60)
    made.defaults = PredictionDefaults(confidence={"emotion": fitted})
    return made


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory):
    wave = recording(0.5, ("neu", 2.0), 0.5)
    return write_sound(tmp_path_factory.mktemp("clip") / "talk.wav", wave, RATE)


def test_probabilities_are_those_of_the_classes_over_their_sum(model: Model, clip: Path) -> None:
    whole = model.predict(clip, window=6.0).summary
    some = model.predict(clip, window=6.0, classes=["neutral", "angry"])
    assert some.spaces == {"emotion": ["anger", "neutral"], "gender": ["female", "male"]}
    assert some.left_out == {"emotion": ["happiness", "sadness"]}
    full = whole["emotion"].probabilities
    assert sum(full.values()) == pytest.approx(1, abs=3e-4)
    for name, p in some.summary["emotion"].probabilities.items():
        assert p == pytest.approx(full[name] / (full["anger"] + full["neutral"]), abs=5e-4)
    assert list(some.summary["emotion"].probabilities) == ["anger", "neutral"]
    assert some.summary["gender"] == whole["gender"]
    told = json.loads(json.dumps(some.to_dict()))
    assert told["left_out"] == {"emotion": ["happiness", "sadness"]}
    assert told["warning"].startswith(
        "Of the model's emotion classes only anger, neutral are answered, not happiness, sadness; their probabilities "
        "are renormalised to sum to 1, and an answer is unsure by its probability among all classes."
    )
    assert model.predict(clip, window=6.0).to_dict()["left_out"] == {}


def test_it_is_the_softmax_of_these_logits_alone() -> None:
    """At any temperature: what is divided out is the same."""
    logits, temperature = torch.tensor([1.5, 0.2, -0.7, 0.9], dtype=torch.float64), 1.7
    judge = Judge({"emotion": SPACE}, {"emotion": 0.0}, {"emotion": ["anger", "neutral"]})
    answer = judge.answer("emotion", (logits / temperature).softmax(dim=0).numpy())
    expected = (logits[[0, 3]] / temperature).softmax(dim=0)
    np.testing.assert_allclose(list(answer.probabilities.values()), expected, atol=5e-5)


def test_unsure_is_judged_among_all_classes_as_the_threshold_was_fitted() -> None:
    kept = {"emotion": ["anger", "neutral"]}
    p = np.array([0.35, 0.3, 0.3, 0.05])
    fitted = Judge({"emotion": SPACE}, {"emotion": 0.4}, kept).answer("emotion", p)
    assert (fitted.label, fitted.confidence, fitted.unsure) == ("anger", 0.875, True)
    asked = Judge({"emotion": SPACE}, {"emotion": 0.4}, kept, among_all=False).answer("emotion", p)
    assert (asked.confidence, asked.unsure) == (0.875, False)
    assert (
        not Judge({"emotion": SPACE}, {"emotion": 0.4}, kept)
        .answer("emotion", np.array([0.6, 0, 0, 0.4]))
        .unsure
    )


def test_the_users_threshold_is_of_what_is_shown(model: Model, clip: Path) -> None:
    timeline = model.predict(clip, window=6.0, classes=["anger", "neutral"], unsure=0.45)
    assert timeline.summary["emotion"].confidence >= 0.5
    assert not timeline.summary["emotion"].unsure
    assert "among all classes" not in timeline.warning


def test_a_segment_goes_on_while_the_best_of_the_classes_is_the_same() -> None:
    def moment(start: int, *p: float):
        return Moment(start, start + 1, 0, (0,), {"emotion": np.array(p)})

    moments = [moment(0, 0.5, 0.2, 0.2, 0.1), moment(1, 0.2, 0.6, 0.1, 0.1), moment(2, 0.1, 0.1, 0.1, 0.7)]
    judge = Judge({"emotion": SPACE}, {"emotion": 0.0}, {"emotion": ["anger", "neutral"]})
    found = judge.segments(moments, [("audio",)], [])
    assert [(s.start, s.end, s.answers["emotion"].label) for s in found] == [
        (0, 2, "anger"),
        (2, 3, "neutral"),
    ]
    assert found[0].answers["emotion"].probabilities["anger"] == pytest.approx(0.7 / 0.9, abs=5e-5)


def test_classes_that_get_nothing_are_told_by_none_of_it() -> None:
    judge = Judge({"emotion": SPACE}, {"emotion": 0.1}, {"emotion": ["anger", "neutral"]})
    answer = judge.answer("emotion", np.array([0.0, 1.0, 0.0, 0.0]))
    assert answer.probabilities == {"anger": 0.5, "neutral": 0.5}
    assert answer.unsure


def test_the_task_is_the_first_that_has_all_of_them() -> None:
    spaces = {
        "emotion": SPACE,
        "sentiment": ["positive", "neutral", "negative"],
        "gender": ["female", "male"],
    }
    assert choose_classes(spaces, ["neutral", "positive"]).kept == {"sentiment": ["positive", "neutral"]}
    assert choose_classes(spaces, ["joy", "neutral"]).kept == {"emotion": ["happiness", "neutral"]}
    assert choose_classes(spaces, ["F", "m"]).left_out == {}  # all of a task: nothing to restrict
    assert choose_classes(spaces, None).kept == {}


@pytest.mark.parametrize(
    ("names", "sentence"),
    [(["anger", "fear"], "There is no 'fear' among the emotion classes of this model"),
     (["happy", "joy"], "takes two or more of the model's classes (anger, happiness, sadness, neutral)"),
     ([], "takes two or more of the model's classes"),
     ("anger", "classes takes a list of the model's classes, not 'anger'"),
     ([1, 2], "classes takes a list of the model's classes")],
)  # fmt: skip
def test_classes_that_do_not_fit(model: Model, clip: Path, names: Any, sentence: str) -> None:
    with pytest.raises(AffuseError) as caught:
        model.predict(clip, classes=names)
    assert sentence in str(caught.value)


def test_a_batch_in_two_processes_says_it_once_and_refuses_before_any_work(
    model: Model,
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save_model(model, tmp_path / "model")
    other = write_sound(tmp_path / "other.wav", recording(0.3, ("ang", 1.5)), RATE)
    words = ["predict", tmp_path / "model", clip, other, "--out", tmp_path / "out", "--jobs", "2"]
    ran = command(capsys, monkeypatch, *words, "--classes", "angry,neutral")
    assert ran.code == 0, ran.err
    assert ran.err.count("classes only anger, neutral are answered") == 1
    found = json.loads((tmp_path / "out" / "other.json").read_text())
    assert set(found["summary"]["emotion"]["probabilities"]) == {"anger", "neutral"}
    words[words.index(tmp_path / "out")] = tmp_path / "no"
    ran = command(capsys, monkeypatch, *words, "--classes", "angry,fear")
    assert ran.code == 2
    assert "--classes: There is no 'fear' among the emotion classes of this model" in ran.err
    assert not (tmp_path / "no").exists()

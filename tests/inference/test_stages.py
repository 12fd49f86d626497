"""The three stages of a prediction, one by one: their sum is a prediction, and each keeps to its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import affuse
from affuse.errors import AffuseError
from affuse.inference.predict import Predictor
from affuse.inference.settings import Settings
from affuse.inference.timeline_maker import TimelineMaker
from affuse.inference.window_answers import WindowAnswers, given_of
from voices import RATE, recording


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    soundfile.write(path, recording(("neu", 4.0), 1.0, ("ang", 5.0), 0.8, ("sad", 2.0)), RATE)
    return path


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(affuse.load("starter"))


def test_the_stages_in_a_row_are_the_prediction(predictor: Predictor, talk: Path) -> None:
    plan = predictor.reader.plan(talk)
    readings = list(predictor.reader.read(talk, plan))
    network = predictor.network
    spaces = predictor.model.label_spaces
    # one by one and out of order: what stands together in a batch changes nothing
    order = np.random.default_rng(0).permutation(len(readings))
    found = {task: np.full((len(readings), len(space)), np.nan) for task, space in spaces.items()}
    for i in order:
        for task, row in network.answer_windows([readings[i].tensors]).items():
            found[task][i] = row
    answers = WindowAnswers(found, [given_of(one.tensors) for one in readings], [])
    made, whole = predictor.maker.make(plan, answers), predictor.predict(talk)
    assert [(one.start, one.end, one.modalities) for one in made.segments] == [
        (one.start, one.end, one.modalities) for one in whole.segments
    ]
    for one, other in zip(made.segments, whole.segments, strict=True):
        for task in spaces:
            assert one.answers[task].label == other.answers[task].label
            mine, theirs = one.answers[task].probabilities, other.answers[task].probabilities
            np.testing.assert_allclose(list(mine.values()), list(theirs.values()), atol=1.01e-4)


def test_a_clip_is_read_without_a_weight(predictor: Predictor, talk: Path) -> None:
    other = Predictor(affuse.load("starter"))
    for encoder in other.encoders.values():
        for parameter in encoder.parameters():
            parameter.data = torch.empty(0)
    plan = other.reader.plan(talk)
    assert plan.windows == predictor.reader.plan(talk).windows
    for one, same in zip(other.reader.read(talk, plan), predictor.reader.read(talk, plan), strict=True):
        for name, tensor in same.tensors.items():
            mine = one.tensors[name]
            assert (mine is None) == (tensor is None)
            if mine is not None and tensor is not None:
                torch.testing.assert_close(mine, tensor, rtol=0, atol=0)


def test_segments_end_by_the_tasks_that_are_told_alone(talk: Path) -> None:
    model = affuse.load("starter")
    both, one = Predictor(model).predict(talk), Predictor(model, tasks=["emotion"]).predict(talk)
    assert set(one.summary) == set(one.spaces) == {"emotion"}
    for left, right in zip(one.segments, one.segments[1:], strict=False):
        together = left.end == right.start
        assert not together or left.answers["emotion"].label != right.answers["emotion"].label
    # every segment of both lies within one of these, with the same emotion
    for segment in both.segments:
        around = next(s for s in one.segments if s.start <= segment.start and segment.end <= s.end)
        assert around.answers["emotion"].label == segment.answers["emotion"].label
    assert one.summary["emotion"] == both.summary["emotion"]


def test_moments_are_what_segments_are_made_of(talk: Path) -> None:
    timeline = affuse.load("starter").predict(talk)
    for segment in timeline.segments:
        inside = [one for one in timeline.moments if segment.start <= one.start and one.end <= segment.end]
        assert inside[0].start == segment.start
        assert inside[-1].end == segment.end
        weights = [one.end - one.start for one in inside]
        for task, answer in segment.answers.items():
            for name, value in answer.probabilities.items():
                mean = np.average([one.probabilities[task][name] for one in inside], weights=weights)
                assert value == pytest.approx(mean, abs=2e-4)
            for one in inside:
                assert max(one.probabilities[task], key=one.probabilities[task].__getitem__) == answer.label


def test_a_task_that_is_not_there_is_refused_before_anything_is_loaded() -> None:
    model = affuse.load("starter")
    with pytest.raises(AffuseError, match="no 'emotoin' among the tasks"):
        Predictor(model, tasks=["emotoin"])
    with pytest.raises(AffuseError, match="none of the model's tasks"):
        TimelineMaker(model.label_spaces, {}, model.defaults, Settings(), 1.0, 0.5, tasks=[])

"""Prediction from Python: sound in memory, many clips, files; the same numbers as of files and the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
import soundfile
import torch

import affuse
from affuse.errors import AffuseError, ClipError
from affuse.inference.settings import Settings, SettingsArguments
from affuse.models.defaults import ClipSeconds, PredictionDefaults
from affuse.models.network import Model
from affuse.models.saving import save_model
from affuse.recipe import Recipe
from quiet import Quiet
from tiny_models import tiny_bert
from voices import RATE, recording

WAVE = recording(0.4, ("neu", 2.5), 0.6, ("ang", 1.5), 0.3)
VOICE = {"audio": {"encoder": "logmel", "options": {"bands": 16}}}


def make_model(modalities: dict[str, Any]) -> Model:
    torch.manual_seed(0)
    made = Model(Recipe.parse({"name": "tried", "modalities": modalities}), {"emotion": ["anger", "neutral"]})
    made.defaults = PredictionDefaults(clip_seconds=ClipSeconds(median=1.0, low=0.5, high=2.0))
    return made.eval()


@pytest.fixture(scope="module")
def model() -> Model:
    return make_model(VOICE)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "talk.wav", WAVE, RATE, subtype="FLOAT")
    return tmp_path / "talk.wav"


def content(timeline: affuse.Timeline) -> dict[str, Any]:
    return timeline.to_dict() | {"clip": ""}


@pytest.mark.parametrize("settings", [{}, {"vad": False, "window": 0.7}, {"start": 0.5, "end": 3.1}])
def test_samples_are_predicted_as_the_file_that_holds_them(
    model: Model, clip: Path, settings: SettingsArguments
) -> None:
    of_file = model.predict(clip, **settings)
    for samples in (WAVE, torch.from_numpy(WAVE), WAVE[None], WAVE[:, None]):
        found = model.predict((samples, RATE), **settings)
        assert content(found) == content(of_file)
        np.testing.assert_array_equal(found.peaks, of_file.peaks)
    assert of_file.segments
    assert found.clip == "array"


def test_one_channel_of_samples(model: Model, tmp_path: Path) -> None:
    both = np.stack([WAVE, WAVE[::-1]], axis=1)
    soundfile.write(tmp_path / "both.wav", both, RATE, subtype="FLOAT")
    for channel in (None, 0, 1):
        expected = content(model.predict(tmp_path / "both.wav", channel=channel, vad=False))
        assert content(model.predict((both.T, RATE), channel=channel, vad=False)) == expected
    with pytest.raises(
        ClipError, match=r"^The array has channels 0 to 1, not channel 2; correct its channel"
    ):
        model.predict((both, RATE), channel=2)


def test_samples_with_words_from_a_text_or_a_file(tmp_path: Path) -> None:
    bert = str(tiny_bert(tmp_path / "bert"))
    model = make_model(VOICE | {"text": {"encoder": "bert", "options": {"model": bert, "output": "mean"}}})
    (tmp_path / "words.srt").write_text("1\n00:00:00,500 --> 00:00:02,500\nhappy day\n")
    soundfile.write(tmp_path / "talk.wav", WAVE, RATE, subtype="FLOAT")
    for settings in ({"words": "a sad train"}, {"text": str(tmp_path / "words.srt")}):
        found = model.predict((WAVE, RATE), **settings)  # type: ignore[arg-type]
        assert found.words
        assert content(found) == content(model.predict(tmp_path / "talk.wav", **settings))  # type: ignore[arg-type]
    with pytest.raises(
        AffuseError, match="is a folder, and an array has no name to look for in it; give text"
    ):
        model.predict((WAVE, RATE), text=tmp_path)


def test_a_model_of_faces_says_that_samples_are_sound_alone() -> None:
    with pytest.raises(ClipError, match=r"^The array has sound only, and this model reads face \(pictures\)"):
        make_model({"face": {"encoder": "hog", "options": {"frames_per_second": 5}}}).predict((WAVE, RATE))


def test_settings_arguments_are_the_fields_of_settings() -> None:
    assert list(get_type_hints(SettingsArguments)) == list(Settings.model_fields)


def test_a_misspelt_setting_names_the_nearest(model: Model) -> None:
    with pytest.raises(
        AffuseError, match=r"no 'windw' among the settings of predict \(did you mean 'window'\?\)"
    ):
        model.predict((WAVE, RATE), windw=2)  # type: ignore[call-arg]
    with pytest.raises(
        AffuseError, match=r"no 'formts' among the arguments of predict_many \(did you mean 'formats'"
    ):
        model.predict_many([(WAVE, RATE)], formts=["json"])  # type: ignore[call-arg]
    with pytest.raises(AffuseError, match="did you mean 'channel'"):
        model.predict_many([(WAVE, RATE)], chanel=0)  # type: ignore[call-arg]


def test_many_clips_each_with_its_outcome(model: Model, clip: Path) -> None:
    batch = model.predict_many([clip, "gone.wav", (WAVE, RATE), (WAVE[: RATE // 2], RATE)])
    assert len(batch) == 4
    outcomes = list(batch)
    assert [outcome.clip for outcome in outcomes] == [str(clip), "gone.wav", "array", "array"]
    assert [outcome.timeline is not None for outcome in outcomes] == [True, False, True, True]
    assert outcomes[1].cause == "gone.wav does not exist; correct the path."
    assert batch.skipped == [outcomes[1]]
    assert content(outcomes[2].timeline) == content(model.predict(clip))  # type: ignore[arg-type]
    assert list(batch) == []  # once


def test_several_processes_give_what_one_gives(model: Model, clip: Path) -> None:
    alone = list(model.predict_many([clip, (WAVE, RATE)]))
    beside = list(model.predict_many([clip, (WAVE, RATE)], jobs=2))
    assert [content(one.timeline) for one in beside] == [content(one.timeline) for one in alone]  # type: ignore[arg-type]


def test_files_of_a_batch(model: Model, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    batch = model.predict_many([clip, (WAVE, RATE), "gone.wav"], out=out, formats=["json", "srt"])
    list(batch)
    made = sorted(path.name for path in out.iterdir() if not path.name.startswith("."))
    assert made == ["array.json", "array.srt", "skipped.csv", "talk.json", "talk.srt"]
    assert sorted(path.name for path in batch.files) == made
    assert json.loads((out / "array.json").read_text())["segments"]


def test_a_single_clip_that_fails_leaves_no_folder(model: Model, tmp_path: Path) -> None:
    (outcome,) = model.predict_many("gone.wav", out=tmp_path / "out")
    assert outcome.timeline is None
    assert isinstance(outcome.error, ClipError)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"out": "talk.srt", "clips": ["a.wav", "b.wav"]},
            "talk.srt is one file, and there are 2 clips; give out a",
        ),
        (
            {"out": "talk.srt", "formats": ["json"]},
            "talk.srt is srt by its ending, and formats says json; give one",
        ),
        (
            {"out": "talk.srt", "plot": True},
            "talk.srt is one file, and plot writes a picture beside it; give out a",
        ),
        (
            {"out": "talk.xyz"},
            "talk.xyz ends in .xyz, so its format is not known; a timeline is written as .json, ",
        ),
        ({"formats": ["jsn"]}, "formats: There is no 'jsn' among the formats (did you mean 'json'?)."),
        ({"plot": True}, "plot writes a picture beside the timelines; give a folder (out)."),
        ({"jobs": 0}, "jobs takes a whole number from 1, not 0."),
        ({"clips": []}, "There are no clips to predict"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_work(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    given: dict[str, Any] = {"clips": ["a.wav"]} | arguments
    with pytest.raises(AffuseError) as caught:
        model.predict_many(**given)
    assert said in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_an_encoder_that_opens_files_itself_says_what_to_do_with_samples() -> None:
    from affuse.media.samples import Samples
    from affuse.media.sound import Sound

    with pytest.raises(ClipError, match="write the samples to a file"):
        os.fspath(Sound(WAVE, RATE, 0, Samples(WAVE, RATE)))


def test_a_folder_and_a_saved_model_are_clips_and_model_too(model: Model, clip: Path, tmp_path: Path) -> None:
    from affuse.inference.many import predict_many

    save_model(model, tmp_path / "model")
    (outcome,) = predict_many(tmp_path / "model", [clip.parent])
    assert outcome.timeline is not None
    assert content(outcome.timeline) == content(model.predict(clip))


@pytest.mark.parametrize("alone", ["predict", "predict_many"])
def test_windows_of_a_clip_alone_are_counted(model: Model, clip: Path, alone: str) -> None:
    told = Quiet()
    if alone == "predict":
        timeline = model.predict(clip, vad=False, window=0.3, batch=4, progress=told)
    else:
        (outcome,) = model.predict_many([clip], vad=False, window=0.3, batch=4, progress=told)
        assert outcome.timeline is not None
        timeline = outcome.timeline
    counts = told.counts["windows"]
    windows = counts[-1][1]
    assert windows >= timeline.seconds / 0.3
    assert counts == [(min(4 * (i + 1), windows), windows) for i in range(len(counts))]
    assert len(counts) > 2
    assert counts[-1] == (windows, windows)


@pytest.mark.parametrize("jobs", [1, 2])
def test_clips_of_a_batch_are_counted(model: Model, clip: Path, jobs: int) -> None:
    told = Counted()
    with model.predict_many([clip, "gone.wav", (WAVE, RATE)], jobs=jobs, progress=told) as batch:
        for number, _ in enumerate(batch, start=1):
            assert told.steps == {"clips": number}  # a clip that failed is done too
    assert told.totals == {"clips": 3}


class Counted(Quiet):
    """steps: task -> how many are done."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: dict[str, int] = {}

    def start(self, task: str, total: int, done: int = 0) -> Callable[[], None]:
        super().start(task, total, done)
        self.steps[task] = done

        def advance() -> None:
            self.steps[task] += 1

        return advance


def test_samples_and_rate_may_be_two_arguments(model: Model, tmp_path: Path) -> None:
    sound = 0.1 * np.sin(np.arange(32_000) / 20)
    pair, two = model.predict((sound, 16_000), vad=False), model.predict(sound, 16_000, vad=False)
    assert pair.to_dict() == two.to_dict()
    with pytest.raises(AffuseError, match=r"talk\.wav is a file; leave rate out"):
        model.predict(tmp_path / "talk.wav", 16_000)

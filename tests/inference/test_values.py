"""Ratings over time: against forwarding every window by hand, and as files, pictures and streams have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

import affuse
from affuse.corpora.corpus import Corpus, Utterance
from affuse.errors import AffuseError
from affuse.evaluation.bands import Band
from affuse.inference.notebook import timeline_html
from affuse.inference.plot_values import steps
from affuse.inference.predict import Predictor
from affuse.inference.settings import Settings
from affuse.inference.timeline import Segment, Timeline, Value
from affuse.inference.windows import lay_windows
from affuse.inference.words.subtitles import parse_cues
from affuse.inference.writers import WRITERS
from affuse.media.speech import Span
from affuse.models.network import Model
from affuse.models.saving import save_model
from affuse.sequence import pad
from audio_files import write_sound
from command import affuse as run
from rated_models import AROUSAL, BOTH, VALENCE, VOICE, rated_model
from small_corpus import make_corpus
from voices import RATE, recording

WINDOWS: dict[str, Any] = {"window": 2.0, "hop": 1.0}
FACE = {"face": {"encoder": "hog", "options": {"frames_per_second": 5, "crop": "window"}}}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wave = recording(1.0, ("neu", 6.0), 1.5, ("ang", 2.0), 1.0)
    return write_sound(tmp_path_factory.mktemp("clip") / "talk.wav", wave, RATE)


@pytest.fixture(scope="module")
def model() -> Model:
    return rated_model()


@pytest.fixture(scope="module")
def timeline(model: Model, clip: Path) -> Timeline:
    return model.predict(clip, **WINDOWS)


def by_hand(model: Model, clip: Path, start: float, end: float, task: str = "valence") -> float:
    """The rating of one range, read from the file and forwarded alone; the range is 1 to 5."""
    (encoder,) = Predictor(model).encoders.values()
    tensor = encoder.read(Utterance("x", audio=clip, start=start, end=end))
    assert tensor is not None
    with torch.inference_mode():
        features = encoder(pad([tensor]))
        value = float(model({"audio": features}).values[task].double())
    return min(5.0, max(1.0, 3 + 2 * value))


def test_a_moment_is_the_mean_over_the_windows_that_cover_it(
    model: Model, timeline: Timeline, clip: Path
) -> None:
    spans = spans_of(timeline)
    ratings = {
        (start, end): by_hand(model, clip, start, end) for start, end, _ in lay_windows(spans, 2.0, 1.0)
    }
    assert np.std(list(ratings.values())) > 0.01
    for moment in timeline.moments:
        middle = (moment.start + moment.end) / 2
        over = [rating for (start, end), rating in ratings.items() if start <= middle < end]
        assert moment.values["valence"].mean == pytest.approx(np.mean(over), abs=1e-3)


def spans_of(timeline: Timeline) -> list[Span]:
    """The stretches of speech, as the moments have them."""
    found: list[Span] = []
    for one in timeline.moments:
        if found and one.start - found[-1].end < 1e-6:
            found[-1] = Span(found[-1].start, one.end)
        else:
            found.append(Span(one.start, one.end))
    return found


def test_segments_and_the_clip_are_means_over_seconds(timeline: Timeline) -> None:
    assert len(timeline.segments) > 1
    for segment in timeline.segments:
        inside = [one for one in timeline.moments if segment.start <= one.start and one.end <= segment.end]
        expected = weighted(inside)
        assert segment.values["valence"].mean == pytest.approx(expected, abs=2e-4)
    assert timeline.values["valence"].mean == pytest.approx(weighted(timeline.moments), abs=2e-4)


def weighted(parts: list[Any]) -> float:
    seconds = sum(one.end - one.start for one in parts)
    return sum(one.values["valence"].mean * (one.end - one.start) for one in parts) / seconds


def test_the_band_reaches_as_far_as_validation_was_off_and_ends_with_the_scale(
    timeline: Timeline, clip: Path
) -> None:
    for one in [*timeline.moments, *timeline.segments, timeline]:
        mean, low, high = one.values["valence"]
        assert low == pytest.approx(max(1, mean - 0.7), abs=2e-4)
        assert high == pytest.approx(min(5, mean + 0.7), abs=2e-4)
    assert timeline.coverage == {"valence": 0.8}
    wide = rated_model(band=Band(half=9.0, utterances=120, speakers=6)).predict(clip)
    assert wide.values["valence"][1:] == (1, 5)


def test_answers_do_not_leave_the_scale(clip: Path) -> None:
    model = rated_model()
    with torch.no_grad():
        for parameter in model.heads["valence"].parameters():
            parameter.mul_(1000)
    found = model.predict(clip, **WINDOWS)
    means = np.array([one.values["valence"].mean for one in found.moments])
    assert ((means >= 1) & (means <= 5)).all()
    assert {1.0, 5.0} & set(means.tolist())


@pytest.mark.parametrize("batch", [1, 3])
def test_what_runs_together_changes_nothing(model: Model, timeline: Timeline, clip: Path, batch: int) -> None:
    other = model.predict(clip, batch=batch, **WINDOWS)
    assert_same(other.segments, timeline.segments)
    one, two = other.curve()["valence"], timeline.curve()["valence"]
    np.testing.assert_allclose(one, two, atol=1.01e-4)


def test_a_stream_tells_the_ratings_of_the_whole(model: Model, timeline: Timeline, clip: Path) -> None:
    found = streamed(model, clip)
    assert_same(found, timeline.segments)


def streamed(model: Model, clip: Path, **settings: Any) -> list[Segment]:
    samples, rate = read_samples(clip)
    stream = model.stream(rate, **WINDOWS, **settings)
    told = [one for at in range(0, len(samples), 800) for one in stream.push(samples[at : at + 800])]
    return [segment for segment, final in [*told, *stream.close()] if final]


def read_samples(clip: Path) -> tuple[np.ndarray, int]:
    samples, rate = soundfile.read(clip, dtype="float32")
    return samples, int(rate)


def assert_same(found: list[Segment], expected: list[Segment]) -> None:
    assert [(one.start, one.end) for one in found] == [(one.start, one.end) for one in expected]
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.values.keys() == theirs.values.keys() == {"valence"}
        np.testing.assert_allclose(mine.values["valence"], theirs.values["valence"], atol=1.01e-4)


def test_of_ratings_alone_a_segment_is_a_stretch_of_speech(clip: Path) -> None:
    model = rated_model({"valence": VALENCE, "arousal": AROUSAL})
    found = model.predict(clip, **WINDOWS)
    assert [(one.start, one.end) for one in found.segments] == [tuple(span) for span in spans_of(found)]
    assert len(found.moments) > len(found.segments) >= 2
    assert (found.summary, found.spaces, found.tasks) == ({}, {}, ["valence", "arousal"])
    assert all(one.answers == {} and set(one.values) == {"valence", "arousal"} for one in found.segments)
    live = streamed(model, clip)
    assert [(one.start, one.end) for one in live] == [(one.start, one.end) for one in found.segments]
    np.testing.assert_allclose(
        [one.values["arousal"].mean for one in live],
        [one.values["arousal"].mean for one in found.segments],
        atol=1.01e-4,
    )
    mean = found.values["valence"].mean
    assert f"valence: {mean:.1f}, arousal: " in repr(found)


def test_tasks_are_chosen_among_classes_and_ratings(model: Model, timeline: Timeline, clip: Path) -> None:
    alone = Predictor(model, Settings.of(WINDOWS), tasks=["valence"]).predict(clip)
    assert alone.tasks == ["valence"]
    assert [(one.start, one.end) for one in alone.segments] == [tuple(span) for span in spans_of(timeline)]
    assert alone.values == timeline.values
    emotion = Predictor(model, Settings.of(WINDOWS), tasks=["emotion"]).predict(clip)
    assert emotion.tasks == ["emotion"]
    assert "ranges" not in emotion.to_dict()
    assert emotion.summary == timeline.summary
    with pytest.raises(
        AffuseError, match=r"no 'valenc' among the tasks of this model \(did you mean 'valence'"
    ):
        Predictor(model, tasks=["valenc"])


def test_a_modality_that_a_clip_lacks_is_left_out(clip: Path) -> None:
    found = rated_model(modalities=VOICE | FACE).predict(clip, **WINDOWS)
    assert {one.modalities for one in found.segments} == {("audio",)}
    assert np.isfinite([one.values["valence"].mean for one in found.moments]).all()


def test_a_model_without_a_band_tells_ratings_and_says_so(clip: Path, tmp_path: Path) -> None:
    found = rated_model(band=None).predict(clip, **WINDOWS)
    assert found.coverage == {}
    assert all(one.values["valence"][1:] == (None, None) for one in [*found.moments, *found.segments])
    assert "The values of valence have no band: the model keeps no validation errors." in found.warning
    assert found.to_dict()["coverage"] == {"valence": None}
    assert found.to_frame()["valence_low"].isna().all()
    assert "valence_low,valence_high" in found.save(tmp_path / "x.csv").read_text()
    assert found.plot(tmp_path / "x.png").axes


def test_json_has_scale_band_and_curve(timeline: Timeline) -> None:
    told = json.loads(WRITERS["json"]().text(timeline))
    assert told["ranges"] == {"valence": [1.0, 5.0]}
    assert told["coverage"] == {"valence": 0.8}
    assert told["labels"] == {"emotion": ["anger", "happiness", "sadness", "neutral"]}
    assert told["summary"]["valence"] == timeline.values["valence"]._asdict()
    assert told["segments"][0]["valence"] == timeline.segments[0].values["valence"]._asdict()
    curve = told["curves"]["valence"]
    assert len(curve) == len(timeline.moments) > len(timeline.segments)
    assert [one["mean"] for one in curve] == [one.values["valence"].mean for one in timeline.moments]
    assert set(curve[0]) == {"start", "end", "mean", "low", "high"}


def test_tables_have_a_row_per_segment_and_per_moment(timeline: Timeline, tmp_path: Path) -> None:
    segments = pd.read_csv(timeline.save(tmp_path / "talk.csv"))
    moments = pd.read_csv(timeline.save(tmp_path / "talk.curve.csv"))
    assert [*segments.columns[-5:]] == ["valence", "valence_low", "valence_high", "modalities", "text"]
    assert len(segments) == len(timeline.segments)
    assert len(moments) == len(timeline.moments)
    assert segments["valence"].tolist() == [one.values["valence"].mean for one in timeline.segments]
    for column in ("valence_low", "valence", "valence_high", "emotion_p_anger"):
        assert moments[column].tolist() == timeline.curve()[column].tolist()
    assert set(moments["clip"]) == {timeline.clip}


def test_subtitles_name_ratings_where_they_are_asked_for(
    model: Model, timeline: Timeline, clip: Path
) -> None:
    asked = model.predict(clip, values=True, **WINDOWS)
    for name in ("srt", "vtt", "audacity"):
        text, plain = WRITERS[name]().text(asked), WRITERS[name]().text(timeline)
        said = [f"valence {one.values['valence'].mean:.1f}" for one in asked.segments]
        assert all(one in text for one in said)
        assert "valence" not in plain
    cues = parse_cues(WRITERS["srt"]().text(asked))
    assert len(cues) == len(asked.segments)
    assert cues[0].text.endswith(f", valence {asked.segments[0].values['valence'].mean:.1f}")


def test_subtitles_of_ratings_alone_are_not_empty(clip: Path) -> None:
    found = rated_model({"valence": VALENCE}).predict(clip, **WINDOWS)
    cues = parse_cues(WRITERS["vtt"]().text(found))
    assert [one.text for one in cues] == [
        f"valence {one.values['valence'].mean:.1f}" for one in found.segments
    ]


@pytest.mark.parametrize(
    ("tasks", "settings", "message"),
    [
        (
            {"valence": VALENCE},
            {"classes": ["anger", "neutral"]},
            "classes is for tasks with classes, and valence is",
        ),
        (
            {"valence": VALENCE},
            {"unsure": 0.5},
            "unsure is for tasks with classes, and valence is a rating; leave",
        ),
        (
            {"valence": VALENCE, "arousal": AROUSAL},
            {"unsure": 0.5},
            "and valence, arousal are ratings; leave it out",
        ),
        (
            {"emotion": BOTH["emotion"]},
            {"values": True},
            "values is for tasks of kind regression, and emotion has",
        ),
        (BOTH, {"values": 3}, "values takes true or false, not 3"),
    ],
)
def test_settings_of_another_kind_are_refused(tasks: Any, settings: Any, message: str, clip: Path) -> None:
    with pytest.raises(AffuseError, match=message):
        rated_model(tasks).predict(clip, **settings)


def test_classes_are_chosen_beside_ratings(model: Model, timeline: Timeline, clip: Path) -> None:
    some = model.predict(clip, classes=["anger", "neutral"], unsure=0.9, **WINDOWS)
    assert set(some.summary["emotion"].probabilities) == {"anger", "neutral"}
    assert some.values == timeline.values
    with pytest.raises(AffuseError, match="values does not go with a stream of sound"):
        model.stream(RATE, values=True)


def test_the_picture_has_the_curve_over_the_whole_scale(timeline: Timeline, tmp_path: Path) -> None:
    figure = timeline.plot(tmp_path / "talk.svg")
    axis = next(one for one in figure.axes if one.get_ylabel() == "rating")
    assert axis.get_ylim() == (0.84, 5.16)
    drawn = [
        (line.get_xdata()[:-1], line.get_ydata()[:-1])
        for line in axis.lines
        if line.get_drawstyle() == "steps-post"
    ]
    x, y = (np.concatenate([np.asarray(one[i]) for one in drawn]) for i in (0, 1))
    np.testing.assert_allclose(x, [one.start for one in timeline.moments])
    np.testing.assert_allclose(y, [one.values["valence"].mean for one in timeline.moments])
    assert len(axis.collections) == len(steps(timeline, "valence"))  # a band per stretch
    texts = [text.get_text() for text in axis.get_legend().get_texts()]
    assert texts == ["rating", "band of 80 %"]
    svg = (tmp_path / "talk.svg").read_text()
    assert "valence" in svg
    with pytest.raises(AffuseError, match="no 'valenc' among the tasks of this timeline"):
        timeline.plot(task="valenc")
    assert len(timeline.plot(task="valence").axes) == len(timeline.plot(task="emotion").axes)


def test_a_notebook_shows_ratings_with_their_band(timeline: Timeline) -> None:
    html = timeline_html(timeline)
    mean, low, high = timeline.segments[0].values["valence"]
    assert "<th>valence</th>" in html
    assert f"<td>{mean:.1f} ({low:.1f} to {high:.1f})</td>" in html


def test_the_command_tells_ratings(
    model: Model, clip: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    save_model(model, folder)
    told = run(
        capsys,
        monkeypatch,
        "predict",
        folder,
        clip,
        "--window",
        "2",
        "--hop",
        "1",
        "--format",
        "srt",
        "--values",
    )
    assert told.code == 0, told.err
    assert "valence " in told.out
    curve = run(capsys, monkeypatch, "predict", folder, clip, "--format", "curve")
    assert curve.out.startswith("clip,start,end,emotion_p_anger")
    alone = tmp_path / "alone"
    save_model(rated_model({"valence": VALENCE}), alone)
    refused = run(capsys, monkeypatch, "predict", alone, clip, "--unsure", "0.5")
    assert refused.code == 2
    assert "--unsure is for tasks with classes, and valence is a rating; leave it out." in refused.err


def test_a_trained_model_keeps_the_band_of_its_validation_part(tmp_path: Path) -> None:
    found = make_corpus(tmp_path / "rated", speakers=4, each=2)
    random = np.random.default_rng(0)
    base = found.table["emotion"].map({"anger": 1.6, "sadness": 2.4, "neutral": 3.4}).astype(float)
    corpus = Corpus(
        found.table.assign(valence=(base + random.normal(0, 0.3, len(base))).round(2).clip(1, 5)),
        found.info,
        found.folder,
    )
    changes = {
        "tasks": {"emotion": {}, "valence": VALENCE}, "modalities.audio.encoder": "logmel",
        "modalities.audio.options": {"bands": 16}, "modalities.audio.standardise": True, "head.hidden": 16,
        "lr": 1e-2, "epochs": 2,
    }  # fmt: skip
    trained = affuse.train("voice-offline", corpus, tmp_path / "run", set=changes, device="cpu", live=True)
    model = trained.model()
    band = model.defaults.band_of("valence")
    rows = trained.predictions.query("role == 'validation'")
    errors = np.sort(np.abs(rows["valence_predicted"].astype(float) - rows["valence"].astype(float)))
    assert band.utterances == len(errors) > 4
    # of one speaker: utterances count
    assert band.half == pytest.approx(errors[int(np.ceil(0.8 * (len(errors) + 1))) - 1], rel=1e-5)
    card = (trained.folder / "model" / "README.md").read_text(encoding="utf-8")
    assert f"- valence: 80 % of ratings lie within {band.half:.3g}, from" in card
    tones = [Path(str(corpus.folder)).parent / "media" / name for name in corpus.table["audio"][:2]]
    wave = np.concatenate([read_samples(one)[0] for one in tones])
    timeline = model.predict((wave, RATE), vad=False)
    assert timeline.values["valence"].high is not None
    assert "The band of valence rests on" in timeline.warning
    assert set(timeline.summary) == {"emotion"}


def test_a_value_prints_as_what_it_is() -> None:
    assert Value(3.0, None, None)._asdict() == {"mean": 3.0, "low": None, "high": None}

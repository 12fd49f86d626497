"""From a file to a timeline: against reading and forwarding every window by hand, and as a user meets it."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

import affuse
from affuse.corpora.corpus import Utterance
from affuse.errors import AffuseError, ClipError
from affuse.evaluation.confidence import Confidence
from affuse.inference.predict import Predictor
from affuse.inference.settings import Settings
from affuse.inference.words import text_between
from affuse.inference.words.cues import Word
from affuse.media.speech import Span, find_speech
from affuse.models.defaults import ClipSeconds, PredictionDefaults
from affuse.models.network import Model
from affuse.models.saving import save_model
from affuse.recipe import Recipe
from affuse.sequence import pad
from affuse.training.features import encode_clip
from audio_files import write_sound, write_track
from offset_films import Kind, remux, write_film
from tiny_models import tiny_bert
from video_files import write_video
from voices import RATE, recording

SPACES = {"emotion": ["anger", "happiness", "sadness", "neutral"], "gender": ["female", "male"]}
DEFAULTS = PredictionDefaults(
    clip_seconds=ClipSeconds(median=1.2, low=0.7, high=2.0),
    confidence={"emotion": Confidence(temperature=2.0, unsure_below=0.4, utterances=9)},
)


def make_model(modalities: dict) -> Model:
    torch.manual_seed(0)
    recipe = Recipe.parse({
        "name": "tried", "modalities": modalities, "tasks": {"emotion": {}, "gender": {}}, "head": {"hidden": None},
    })  # fmt: skip
    model = Model(recipe, SPACES).eval()
    for standardiser in model.standardisers.values():
        standardiser.fit(torch.tensor(0.0), torch.tensor(20.0))
    model.defaults = DEFAULTS
    return model


VOICE = {"audio": {"encoder": "logmel", "options": {"bands": 16}, "standardise": True}}
FACE = {"face": {"encoder": "hog", "options": {"frames_per_second": 5, "crop": "window"}}}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory):
    return str(tiny_bert(tmp_path_factory.mktemp("bert")))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory):
    wave = recording(1.0, ("neu", 6.0), 1.5, ("ang", 2.0), 1.0)
    return write_sound(tmp_path_factory.mktemp("clip") / "a talk.wav", wave, RATE)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory):
    """Pictures without sound, 4 s at 25 a second, each unlike the last."""
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 255, (64, 96, 3), dtype=np.uint8) for _ in range(100)]
    return write_video(tmp_path_factory.mktemp("film") / "film.mp4", pictures)


def by_hand(model: Model, clip: Path, windows: list[tuple[Any, ...]], words: list[Word] | tuple[()] = ()):
    """(windows, classes) of the emotion: every window read from the file and forwarded alone."""
    rows = []
    for start, end in windows:
        said = text_between(words, start, end) or None
        utterance = Utterance("x", audio=clip, video=clip, text=said, start=start, end=end)
        clips = {}
        for name, encoder in Predictor(model, Settings(words="any")).encoders.items():
            tensor = encoder.read(utterance)
            if tensor is not None:
                clips[name] = pad([encode_clip(encoder, tensor)])
        with torch.inference_mode():
            logits = model(clips).logits["emotion"][0].double()
        rows.append((logits / 2.0).softmax(dim=0).numpy())  # the temperature
    return np.array(rows)


def windows_by_hand(spans: list[Span], window: float = 2.0, hop: float = 1.0):
    found = []
    for start, end in spans:
        if end - start <= window:
            found.append((start, end))
            continue
        at = start
        while at + window < end - 1e-9:
            found.append((at, at + window))
            at += hop
        found.append((end - window, end))
    return found


@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.parametrize("speaks", [False, True])
def test_a_timeline_is_the_mean_of_its_windows_read_and_forwarded_one_by_one(
    clip: Path, bert: str, batch: int, speaks: bool
) -> None:
    text = {"text": {"encoder": "bert", "options": {"model": bert, "output": "mean"}}}
    model = make_model(VOICE | text)
    words = "a happy day it was and now the sad train goes there" if speaks else None
    timeline = model.predict(clip, batch=batch, words=words)
    spans = find_speech([soundfile.read(clip, dtype="float32")[0]], RATE)
    windows = windows_by_hand(spans)
    expected = by_hand(model, clip, windows, timeline.words)
    covered = 0.0
    for segment in timeline.segments:
        grid = np.arange(segment.start, segment.end, 0.001) + 0.0005
        over = np.array([[start <= t < end for start, end in windows] for t in grid])
        over = over[over.any(axis=1)]
        mean = (over @ expected / over.sum(axis=1, keepdims=True)).mean(axis=0)
        answer = segment.answers["emotion"]
        np.testing.assert_allclose(list(answer.probabilities.values()), mean, atol=2e-3)
        assert answer.label == SPACES["emotion"][int(np.argmax(list(answer.probabilities.values())))]
        assert answer.confidence == max(answer.probabilities.values())
        assert answer.unsure == (answer.confidence < 0.4)
        assert segment.modalities == (("audio", "text") if speaks else ("audio",))
        covered += segment.end - segment.start
    assert covered == pytest.approx(sum(end - start for start, end in spans), abs=1e-3)
    if speaks:
        assert " ".join(one.text for one in timeline.segments).split() == words.split()


def test_faces_of_a_silent_film_are_those_of_reading_each_window(film: Path) -> None:
    model = make_model(FACE)
    timeline = model.predict(film, window=2.0, hop=1.0)
    expected = by_hand(model, film, [(0, 2), (1, 3), (2, 4)])
    parts = [expected[0], expected[:2].mean(0), expected[1:].mean(0), expected[2]]
    summary = np.mean(parts, axis=0)
    found = list(timeline.summary["emotion"].probabilities.values())
    np.testing.assert_allclose(found, summary, atol=2e-4)
    assert timeline.segments[0].start == 0
    assert timeline.segments[-1].end == pytest.approx(4.0)
    assert timeline.pictures


def test_a_frame_has_a_row_per_segment_and_json_says_the_same(clip: Path) -> None:
    timeline = make_model(VOICE).predict(clip)
    table = timeline.to_frame()
    told = json.loads(json.dumps(timeline.to_dict()))
    assert isinstance(timeline, affuse.Timeline)
    assert list(table.columns[:4]) == ["start", "end", "emotion", "emotion_confidence"]
    assert len(table) == len(timeline.segments) == len(told["segments"])
    p = table[[f"emotion_p_{name}" for name in SPACES["emotion"]]].sum(axis=1)
    np.testing.assert_allclose(p, 1, atol=1e-3)
    assert told["segments"][0]["gender"]["label"] == table["gender"][0]
    assert (table["start"].to_numpy()[1:] >= table["end"].to_numpy()[:-1] - 1e-9).all()


def test_neighbouring_segments_differ_and_like_windows_are_joined(clip: Path) -> None:
    model = make_model(VOICE)
    (whole, *_) = model.predict(clip, window=1.0, hop=0.25).segments
    with torch.no_grad():  # every class is as likely as another over the clip, so that windows differ
        for task, head in model.heads.items():
            likely = torch.tensor(list(whole.answers[task].probabilities.values()))
            last = [layer for layer in head.modules() if isinstance(layer, torch.nn.Linear)][-1]
            last.bias -= likely.log().to(last.bias.dtype)
    timeline = model.predict(clip, window=1.0, hop=0.25)
    pairs = [
        (one, other)
        for one, other in pairwise(timeline.segments)
        if other.start - one.end < 1e-6  # no pause between them
    ]
    assert pairs
    for one, other in pairs:
        assert [a.label for a in one.answers.values()] != [a.label for a in other.answers.values()]
    assert (
        max(segment.end - segment.start for segment in timeline.segments) > 0.5
    )  # longer than a window's own share


def test_no_speech_no_segment_unless_the_whole_clip_is_asked_for(tmp_path: Path) -> None:
    path = write_sound(
        tmp_path / "quiet.wav", 0.01 * np.random.default_rng(0).standard_normal(4 * RATE).astype("f4"), RATE
    )
    model = make_model(VOICE)
    silent = model.predict(path)
    assert silent.segments == []
    assert silent.summary == {}
    assert len(silent.to_frame()) == 0
    whole = model.predict(path, vad=False)
    assert whole.segments[0].start == 0
    assert whole.segments[-1].end == pytest.approx(4.0)


def test_the_threshold_can_be_set(clip: Path) -> None:
    model = make_model(VOICE)
    for threshold, unsure in ((1.0, True), (0.0, False)):
        segments = model.predict(clip, unsure=threshold).segments
        assert {a.unsure for s in segments for a in s.answers.values()} == {unsure}


def test_subtitles_give_each_window_its_words(clip: Path, bert: str, tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text(
        "1\n00:00:01,200 --> 00:00:03,000\nhappy day\n\n2\n00:00:08,700 --> 00:00:10,000\nsad train\n"
    )
    model = make_model({"text": {"encoder": "bert", "options": {"model": bert, "output": "mean"}}})
    timeline = model.predict(clip, text=tmp_path / "a.srt")
    assert [word.text for word in timeline.words] == ["happy", "day", "sad", "train"]
    last = timeline.segments[-1]
    assert last.text == "sad train"
    assert last.modalities == ("text",)
    assert all(segment.end < 5.5 or segment.start > 8 for segment in timeline.segments)  # no words, no answer


def test_a_folder_of_words_gives_the_clips_own_or_says_that_it_has_none(
    clip: Path, bert: str, tmp_path: Path
) -> None:
    text = {"text": {"encoder": "bert", "options": {"model": bert, "output": "mean"}}}
    (tmp_path / "b.srt").write_text("1\n00:00:01 --> 00:00:03\nhello\n")
    told = f"No words for {clip} in {tmp_path}: predicted without."
    assert make_model(VOICE | text).predict(clip, text=tmp_path).faults == [told]
    assert make_model(VOICE).predict(clip, text=tmp_path).faults == []  # it reads none
    (tmp_path / "a talk.en.json").write_text('{"text": "Jose\u0301"}', encoding="utf-8")
    found = make_model(VOICE | text).predict(clip, text=tmp_path)
    assert found.faults == []
    assert [word.text for word in found.words] == ["Jos\u00e9"]


# what cannot be predicted, and what is said of it


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"window": 0.01}, "window takes at least 0.2"),
        ({"hop": 9}, "hop takes more than 0 and at most the window's 2 seconds"),
        ({"windows": 2}, "There is no 'windows' among the settings of predict .did you mean 'window'"),
        ({"unsure": 2}, "unsure takes a number from 0 to 1, not 2"),
        ({"side": "middle"}, "side takes left or right, not .middle"),
        ({"words": "a", "asr": "b"}, "Words come from one place: text, words or asr; give one of them"),
        ({"asr": "/no/recogniser"}, "There is no transformers model in"),
        ({"text": "gone.srt"}, "There is no text file gone.srt"),
    ],
)
def test_settings_that_do_not_fit(clip: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(AffuseError, match=said):
        make_model(VOICE).predict(clip, **settings)


def bad(tmp_path: Path, name: str):
    path = tmp_path / name
    if name == "words.mp4":
        path.write_text("these are words, no film " * 100)
    elif name == "noise.wav":
        path.write_bytes(np.random.default_rng(0).bytes(20_000))
    elif name == "empty.wav":
        path.write_bytes(b"")
    elif name == "zero.wav":
        write_sound(path, np.zeros(0, np.float32), RATE)
    elif name == "folder.wav":
        path.mkdir()
    elif name == "codec.mkv":
        write_track(path, recording(("neu", 1.0)), RATE, "aac")
        path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_XYZ"))
    elif name == "codec.wav":
        write_sound(path, recording(("neu", 1.0)), RATE)
        path.write_bytes(path.read_bytes()[:20] + b"\x34\x12" + path.read_bytes()[22:])
    return path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("words.mp4", "is not an audio or video file"),
        ("noise.wav", "is not an audio or video file"),
        ("empty.wav", r"is empty \(0 bytes\)"),
        ("zero.wav", "no sound that can be decoded"),
        ("folder.wav", "is a folder"),
        ("gone.wav", "does not exist"),
        ("codec.mkv", "a codec that FFmpeg does not know"),
        ("codec.wav", "a codec that FFmpeg does not know"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ClipError, match=said) as caught:
        make_model(VOICE).predict(bad(tmp_path, name))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sound_alone_for_a_model_of_faces_says_what_it_needs(clip: Path) -> None:
    with pytest.raises(
        ClipError, match=r"has sound only, and this model reads face \(pictures\); give a file that has"
    ):
        make_model(FACE).predict(clip)


def test_a_model_of_words_asks_for_them(clip: Path, bert: str) -> None:
    model = make_model({"text": {"encoder": "bert", "options": {"model": bert, "output": "mean"}}})
    with pytest.raises(
        ClipError, match=r"reads text \(words\); give text \(a file of words\) or asr \(a recogniser\)"
    ):
        model.predict(clip)


@pytest.mark.parametrize(
    ("starts", "said"),
    [
        ((1, 2), None),
        ((1, 90), r"^1 of the 2 cues begins after the clip's end: left out\.$"),
        ((1, 80, 90), r"^2 of the 3 cues begin after"),
        (
            (80, 90),
            r"^None of the 2 cues lies within the clip's 11\.50 s: is .*words\.srt another clip's text\?$",
        ),
        ((90,), r"^The only cue does not lie within the clip's 11\.50 s: is "),
    ],
)
def test_cues_beyond_the_clip_are_told(
    clip: Path, bert: str, tmp_path: Path, starts: tuple[Any, ...], said: str | None
) -> None:
    cues = [
        f"{i}\n00:{s // 60:02}:{s % 60:02},0 --> 00:{s // 60:02}:{s % 60:02},9\nhi\n"
        for i, s in enumerate(starts)
    ]
    (tmp_path / "words.srt").write_text("\n".join(cues))
    text = {"text": {"encoder": "bert", "options": {"model": bert, "output": "mean"}}}
    faults = make_model(VOICE | text).predict(clip, text=tmp_path / "words.srt").faults
    assert len(faults) == (said is not None)
    assert all(re.search(said, fault) for fault in faults)
    if min(starts) > 60:  # a model of words alone has nothing to go by
        with pytest.raises(ClipError, match=said):
            make_model(text).predict(clip, text=tmp_path / "words.srt")


def test_a_model_of_ready_features_cannot_read_a_clip(clip: Path) -> None:
    model = make_model({"face": {"encoder": "precomputed", "options": {"name": "au", "width": 3}}})
    with pytest.raises(AffuseError, match="pre-extracted features alone"):
        model.predict(clip)


def test_a_film_for_a_model_of_both_uses_what_is_there(film: Path, clip: Path) -> None:
    model = make_model(VOICE | FACE)
    assert {s.modalities for s in model.predict(film).segments} == {("face",)}
    assert {s.modalities for s in model.predict(clip).segments} == {("audio",)}


def test_a_damaged_middle_is_told_and_the_rest_is_used(tmp_path: Path) -> None:
    wave = recording(("neu", 4.0), ("ang", 4.0), ("sad", 4.0))
    path = write_sound(tmp_path / "hurt.flac", wave, RATE)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 500] = bytes(500)
    path.write_bytes(data)
    timeline = make_model(VOICE).predict(path, vad=False)
    assert timeline.seconds > 9
    assert timeline.segments[-1].end > 9
    assert len(timeline.faults) == 1
    assert "hurt.flac" in timeline.faults[0]


def test_a_film_damaged_in_the_middle_goes_on_behind_it(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 255, (64, 96, 3), dtype=np.uint8) for _ in range(250)]
    path = write_video(tmp_path / "film.mkv", pictures, codec="libx264", group=10)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 6000] = random.bytes(6000)
    path.write_bytes(data)
    timeline = make_model(FACE).predict(path, window=1.0, hop=1.0)
    assert timeline.segments[-1].end == pytest.approx(10, abs=0.1)


def test_a_model_folder_brings_its_defaults(clip: Path, tmp_path: Path) -> None:
    model = make_model(VOICE)
    save_model(model, tmp_path / "model")
    loaded = affuse.load(tmp_path / "model")
    assert loaded.defaults == DEFAULTS
    pd.testing.assert_frame_equal(loaded.predict(clip).to_frame(), model.predict(clip).to_frame())
    assert Predictor(loaded, Settings.of({})).window == 2.0


def test_what_is_lost_of_the_sound_is_told_where_pictures_go_on_after_it(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", Kind("mp4", "aac", 48_000, 0.03))
    cut = remux(film, tmp_path / "cut.mp4", lost=lambda at: 2.5 < at < 4.5 or at > 6)
    timeline = Predictor(make_model(FACE), Settings.of({})).predict(cut)
    assert timeline.seconds == pytest.approx(8.0, abs=0.1)
    assert any("has no sound that can be decoded from 2.5" in fault for fault in timeline.faults)

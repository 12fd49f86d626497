"""What an encoder of one's own reads of a window is what it reads of a corpus's row: what was measured predicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affuse.corpora.corpus import Utterance
from affuse.errors import AffuseError
from affuse.evaluation.calibration import apply_temperature
from affuse.inference.predict import Predictor
from affuse.inference.settings import Settings
from affuse.inference.tracks import find_tracks
from affuse.inference.window_reader import WindowReader
from affuse.inference.windows import Window
from affuse.inference.words import Word, text_between
from affuse.models.network import Model
from affuse.parts.registry import PARTS
from affuse.recipe import Recipe
from affuse.sequence import pad
from affuse.training.cache import ContentKeys
from audio_files import write_sound
from offset_films import Kind, write_film
from video_files import grey, write_video
from voices import RATE, recording

SPACES = {"emotion": ["anger", "neutral"]}
WINDOWS = [Window(0.0, 1.0, 0), Window(0.5, 1.5, 0), Window(2.0, 3.0, 1)]


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch):
    for name in ("Brightness", "Loudness", "Letters", "Table", "Mirrored", "Darker"):
        monkeypatch.setitem(PARTS["encoders"], name.lower(), f"inference.own_encoders:{name}")


def make_model(*encoders: str) -> Model:
    torch.manual_seed(0)
    # the film's noise has no face to find
    faces = {name: {"options": {"crop": "window"}} for name in ("hog", "mirrored", "darker")}
    modalities = {f"m_{name}": {"encoder": name} | faces.get(name, {}) for name in encoders}
    return Model(Recipe.parse({"name": "own", "modalities": modalities}), SPACES).eval()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tone that rises beside pictures that grow lighter, 4 s."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return write_video(path, [grey(2 * i) for i in range(100)])


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wave = recording(0.5, ("neu", 3.0), 0.5)
    return write_sound(
        tmp_path_factory.mktemp("talk") / "talk.wav", np.stack([wave, 0.3 * wave], axis=1), RATE
    )


def read(
    path: Path,
    model: Model,
    words: list[Word] | tuple[()] = (),
    windows: list[Window] = WINDOWS,
    **settings: int | str | None,
):
    said = " ".join(word.text for word in words) or None  # encoders of words are loaded where there are some
    predictor = Predictor(model, Settings.of({**settings, "words": said}))
    tracks = find_tracks(path)
    return list(WindowReader(path, tracks, predictor.encoders, predictor.settings, words, windows))


def test_a_video_encoder_that_is_no_face_encoder_reads_every_window(film: Path) -> None:
    model = make_model("brightness")
    encoder = Predictor(model).encoders["m_brightness"]
    for side in (None, "right"):
        for window, reading in zip(WINDOWS, read(film, model, side=side), strict=True):
            row = Utterance("row", video=film, start=window.start, end=window.end, side=side)
            torch.testing.assert_close(reading.tensors["m_brightness"], encoder.read(row), rtol=0, atol=0)
            assert reading.causes == []


def test_the_answer_is_that_of_the_same_rows_in_an_evaluation(film: Path) -> None:
    model = make_model("brightness", "hog")
    predictor = Predictor(model, Settings.of({"window": 4.0}))
    (segment,) = predictor.predict(film).segments
    assert segment.modalities == ("m_brightness", "m_hog")
    row = Utterance("row", video=film, start=0.0, end=4.0)
    with torch.inference_mode():
        clips = {}
        for name, encoder in predictor.encoders.items():
            clip = encoder.read(row)
            assert clip is not None
            clips[name] = encoder(pad([clip]))
        expected = model(clips).logits["emotion"].double().softmax(dim=1).numpy()
    found = list(segment.answers["emotion"].probabilities.values())
    np.testing.assert_allclose(
        found, apply_temperature(expected, model.defaults.of_task("emotion").temperature)[0], atol=1e-4
    )


def test_a_window_that_cannot_be_read_says_why(film: Path) -> None:
    (reading,) = read(film, make_model("brightness"), windows=[Window(7.0, 8.0, 0)])
    assert reading.tensors == {"m_brightness": None}
    assert "shows nothing from 7 s on" in reading.causes[0]


@pytest.mark.parametrize("channel", [None, 1])
def test_an_audio_encoder_that_opens_the_file_itself(talk: Path, channel: int | None) -> None:
    model = make_model("loudness", "logmel")
    encoder = Predictor(model).encoders["m_loudness"]
    for window, reading in zip(WINDOWS, read(talk, model, channel=channel), strict=True):
        row = Utterance("row", audio=talk, start=window.start, end=window.end, channel=channel)
        torch.testing.assert_close(reading.tensors["m_loudness"], encoder.read(row), rtol=0, atol=0)
        assert reading.tensors["m_logmel"] is not None


def test_a_text_encoder_reads_the_words_of_every_window(talk: Path) -> None:
    words = [Word(0.2, 0.4, "a"), Word(0.8, 1.2, "calm"), Word(2.5, 2.7, "day")]
    for window, reading in zip(WINDOWS, read(talk, make_model("letters", "logmel"), words), strict=True):
        said = text_between(words, window.start, window.end)
        assert reading.tensors["m_letters"].tolist() == [[len(said), said.count(" "), 1.0, 0.0]]


def test_faces_read_in_a_way_of_ones_own(film: Path) -> None:
    """A child of a face encoder with a ``read`` of its own is no plain face encoder."""
    model = make_model("mirrored", "darker", "hog")
    encoders = Predictor(model).encoders
    for window, reading in zip(WINDOWS, read(film, model), strict=True):
        assert torch.equal(reading.tensors["m_mirrored"], reading.tensors["m_hog"].flip(2))
        assert torch.equal(reading.tensors["m_darker"], reading.tensors["m_hog"] // 2)
        row = Utterance("row", video=film, start=window.start, end=window.end)
        for name, tensor in reading.tensors.items():  # both ways in which training reads
            assert torch.equal(encoders[name].read(row), tensor)
            assert torch.equal(encoders[name].read_with_fault(row)[0], tensor)
    model = make_model("mirrored")
    with pytest.raises(AffuseError, match=r"detector and face do not reach .*'m_mirrored'.*Mirrored"):
        read(film, model, detector="yunet.onnx")


@pytest.mark.parametrize("encoder", ["table", "precomputed"])
def test_features_that_no_clip_has_are_told(talk: Path, encoder: str) -> None:
    modalities = {"mine": {"encoder": encoder}, "audio": {"encoder": "logmel"}}
    if encoder == "precomputed":
        modalities["mine"]["options"] = {"name": "mine", "width": 3}
    torch.manual_seed(0)
    model = Model(Recipe.parse({"name": "own", "modalities": modalities}), SPACES).eval()
    timeline = Predictor(model, Settings.of({"vad": False})).predict(talk)
    assert "'mine' is pre-extracted features, which cannot be taken from a clip" in timeline.warning
    assert all(segment.modalities == ("audio",) for segment in timeline.segments)
    plain = Predictor(make_model("logmel"), Settings.of({"vad": False})).predict(talk)
    assert "cannot be taken" not in plain.warning


def test_an_encoder_of_pictures_has_the_sound_too(tmp_path: Path) -> None:
    """A row of a corpus names both; so does a window, whatever the other encoders read."""
    path = write_film(tmp_path / "film.mkv", Kind("mkv", "pcm_s16le", 16_000, 0.0), seconds=3.0)
    seen = []

    model = make_model("brightness")
    predictor = Predictor(model)
    kept = predictor.encoders["m_brightness"]

    class Both(type(kept)):
        def read(self, utterance: Any):
            seen.append(utterance)
            return super().read(utterance)

    both = Both(kept.options)  # pyright: ignore[reportAbstractUsage]
    settings = Settings.of({"channel": 0, "track": 0})
    list(WindowReader(path, find_tracks(path), {"both": both}, settings, (), WINDOWS))
    assert [(one.audio, one.video, one.start, one.end, one.channel, one.track) for one in seen] == [
        (path, path, window.start, window.end, 0, 0) for window in WINDOWS
    ]


def test_a_cache_key_holds_the_bytes_of_features_in_a_folder_with_a_number_sign(tmp_path: Path) -> None:
    folder = tmp_path / "Speech #2"
    folder.mkdir()
    row = Utterance("row", features={"mine": f"{folder / 'a.npy'}#0"})
    encoder = Predictor(make_model("table", "logmel")).encoders["m_table"]
    keys = []
    for value in (1.0, 2.0):
        np.save(folder / "a.npy", np.full((2, 4), value, np.float32))
        keys.append(ContentKeys().key(encoder, "", row))
    assert keys[0] != keys[1]

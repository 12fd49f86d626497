"""Timelines of films whose sound begins late: voice, words and faces of one moment are of one moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from affuse.inference.predict import Predictor
from affuse.inference.settings import Settings
from affuse.inference.sound_scan import PEAK_SECONDS, scan_sound
from affuse.inference.tracks import find_tracks
from affuse.inference.window_reader import WindowReader
from affuse.inference.windows import Window
from affuse.inference.words import place, read_transcript
from affuse.media.speech import find_speech
from affuse.media.video import read_faces
from affuse.models.network import Model
from affuse.recipe import Recipe
from offset_films import FPS, LASTS, MOMENTS, Kind, write_film
from voices import RATE, recording

SPACES = {"emotion": ["anger", "neutral"]}
MOV = Kind("mov", "pcm_s16le", RATE, 0.002)
KINDS = [MOV, Kind("mkv", "libopus", 48_000, 0.005), Kind("ts", "aac", 48_000, 0.03)]
LOGMEL = {"encoder": "logmel", "options": {"bands": 16}, "standardise": True}
HOG = {"encoder": "hog", "options": {"frames_per_second": FPS, "size": 48, "crop": "window"}}


def make_model(**modalities: dict[str, bool | dict[str, int] | str]):
    torch.manual_seed(0)
    recipe = Recipe.parse({
        "name": "tried", "modalities": modalities, "tasks": {"emotion": {}}, "head": {"hidden": None},
    })  # fmt: skip
    model = Model(recipe, SPACES).eval()
    for standardiser in model.standardisers.values():
        standardiser.fit(torch.tensor(0.0), torch.tensor(20.0))
    return model


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.suffix)
@pytest.mark.parametrize("clock", [0.0, 1.4])
def test_segments_have_the_times_of_the_player(tmp_path: Path, kind: Kind, clock: float) -> None:
    wave = recording(1.0, ("neu", 2.0), 1.5, ("ang", 2.0), 1.0)
    if kind.rate != RATE:
        wave = np.repeat(wave, kind.rate // RATE)
    model = make_model(audio=LOGMEL)
    at = {}
    for late in (0.0, 0.7):
        path = write_film(tmp_path / f"{late}.{kind.suffix}", kind, late, wave=wave, clock=clock)
        timeline = model.predict(path)
        at[late] = [(segment.start, segment.end) for segment in timeline.segments]
        assert timeline.seconds == pytest.approx(len(wave) / kind.rate + late, abs=0.06)
    assert len(at[0.0]) >= 2
    np.testing.assert_allclose(np.array(at[0.7]) - 0.7, at[0.0], atol=0.07)  # frames of the detector: 32 ms


def test_peaks_of_the_plot_are_on_the_clock(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mov", MOV, 0.7)
    heard = scan_sound(path, None, detect=False)
    loud = np.flatnonzero(heard.peaks > 0.1) * PEAK_SECONDS
    assert loud[0] == pytest.approx(MOMENTS[0], abs=PEAK_SECONDS)
    assert heard.seconds == pytest.approx(8.0)
    assert heard.speech == [(0.0, heard.seconds)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.suffix)
@pytest.mark.parametrize(("sound_at", "pictures_at"), [(0.7, 0.0), (0.0, 0.3)])
def test_a_window_holds_the_sound_the_words_and_the_pictures_of_its_seconds(
    tmp_path: Path, kind: Kind, sound_at: float, pictures_at: float
) -> None:
    path = write_film(tmp_path / f"a.{kind.suffix}", kind, sound_at, pictures_at)
    subtitles = tmp_path / "a.srt"
    subtitles.write_text(
        "1\n00:00:01,500 --> 00:00:01,900\nbeep\n\n2\n00:00:05,200 --> 00:00:05,600\nbleep\n"
    )
    encoders = Predictor(make_model(audio=LOGMEL, face=HOG)).encoders
    windows = [Window(0.6, 1.4, 0), Window(1.55, 1.85, 0), Window(2.0, 3.0, 0), Window(5.25, 5.55, 0)]
    words = place(read_transcript(subtitles).cues, scan_sound(path, None, False).speech)
    read = {}
    encoders["audio"].read = lambda utterance: read.setdefault(utterance.start, utterance) and None
    reader = WindowReader(path, find_tracks(path), encoders, Settings(), words, windows)
    for window, reading in zip(windows, reader, strict=True):
        utterance = read[window.start]
        inside = any(at < window.start < at + LASTS for at in MOMENTS)
        loud = np.abs(utterance.audio.cut(window.start, window.end)).max() > 0.1
        white = reading.tensors["face"].float().mean() > 150
        assert (loud, bool(white), utterance.text is not None) == (inside, inside, inside)


def test_before_the_first_picture_a_window_has_no_face(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mov", MOV, 0.0, 2.0)
    encoders = Predictor(make_model(audio=LOGMEL, face=HOG)).encoders
    windows = [Window(0.5, 1.5, 0), Window(1.5, 2.5, 0), Window(2.5, 3.5, 0)]
    reader = WindowReader(path, find_tracks(path), encoders, Settings(), [], windows)
    faces = [reading.tensors["face"] for reading in reader]
    assert faces[0] is None
    for window, face in zip(windows[1:], faces[1:], strict=True):
        same = read_faces(path, start=window.start, end=window.end, fps=FPS, size=48).frames
        np.testing.assert_array_equal(face, same)
    segments = make_model(audio=LOGMEL, face=HOG).predict(path, window=1.0, hop=1.0, vad=False).segments
    assert segments[0].start == 0.0


def test_a_detector_hears_silence_before_late_sound(tmp_path: Path) -> None:
    wave = recording(1.0, ("neu", 2.0), 1.0)
    path = write_film(tmp_path / "a.mov", MOV, 0.7, wave=wave)
    spans = scan_sound(path, None, detect=True).speech
    alone = find_speech([np.concatenate([np.zeros(round(0.7 * RATE), np.float32), wave])], RATE)
    np.testing.assert_allclose(spans, alone, atol=0.04)

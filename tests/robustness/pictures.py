"""Pictures: the lines of docs/robustness.md on them."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch

from affuse.corpora.corpus import Corpus
from affuse.corpora.schema import CorpusInfo
from affuse.models.defaults import ClipSeconds, PredictionDefaults
from affuse.models.network import Model
from affuse.models.saving import save_model
from affuse.recipe import Recipe
from audio_files import write_track
from robustness.situations import Command, Place, situation
from video_files import cover_first, grey, id3_cover, join_sizes, write_tracks, write_video
from voices import RATE, recording


def face_model(place: Place, crop: str = "window") -> Path:
    """A small model that reads faces alone, of random weights."""
    torch.manual_seed(0)
    face = {"encoder": "hog", "options": {"frames_per_second": 5, "crop": crop}}
    recipe = Recipe.parse({"name": "tried", "modalities": {"face": face}})
    made = Model(recipe, {"emotion": ["anger", "neutral"]}).eval()
    made.defaults = PredictionDefaults(clip_seconds=ClipSeconds(median=1.0, low=0.5, high=1.0))
    save_model(made, place.folder / "faces")
    return place.folder / "faces"


def noise(height: int, width: int, count: int) -> list[np.ndarray]:
    blocks = np.random.default_rng(0).integers(40, 220, (count, height // 8, width // 8, 3), dtype=np.uint8)
    return [np.kron(block, np.ones((8, 8, 1), np.uint8)) for block in blocks]


def predicted(seconds: float):
    """The timeline goes on until there."""

    def check(place: Place) -> None:
        (table,) = place.out.glob("*.csv")
        rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
        assert abs(float(rows[-1]["end"]) - seconds) < 0.11

    return check


@situation("pictures-size-changes")
def _sizes(place: Place) -> Command:
    join_sizes(place.folder / "film.webm", [noise(160, 240, 25), noise(120, 64, 25)], "libvpx")
    for part in place.folder.glob("part*"):
        part.unlink()
    words = ["predict", face_model(place), "film.webm", "--format", "csv", "--out", place.out]
    return Command(words, predicted(2.0))


@situation("pictures-joined")
def _joined(place: Place) -> Command:
    parts = [
        write_video(place.folder / f"{i}.ts", noise(*shape, 25))
        for i, shape in enumerate([(160, 240), (120, 64)])
    ]
    (place.folder / "joined.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    words = ["predict", face_model(place), "joined.ts", "--format", "csv", "--out", place.out]
    return Command(words, predicted(2.0))


@situation("pictures-behind-a-cover")
def _behind(place: Place) -> Command:
    cover_first(place.folder / "film.mp4", noise(64, 96, 25))
    words = ["predict", face_model(place), "film.mp4", "--format", "csv", "--out", place.out]
    return Command(words, predicted(1.0))


def cover(place: Place) -> Path:
    path = write_track(place.folder / "talk.mp3", recording(0.2, ("neu", 1.0), 0.2), RATE, "mp3")
    path.write_bytes(id3_cover(grey(200)) + path.read_bytes())
    return path


def corpus(place: Place, *videos: str) -> Path:
    rows = [
        {"id": f"{i}", "video": video, "emotion": label}
        for i, (video, label) in enumerate(zip(videos, ["anger", "neutral"] * len(videos), strict=False))
    ]
    info = CorpusInfo(
        name="tried", media_root=str(place.folder), label_spaces={"emotion": ["anger", "neutral"]}
    )
    Corpus(pd.DataFrame(rows), info).save(place.folder / "corpus")
    return place.folder / "corpus"


@situation("pictures-cover")
def _cover(place: Place) -> Command:
    cover(place)
    return Command(["predict", face_model(place), "talk.mp3", "--out", place.out])


@situation("pictures-cover-in-a-corpus")
def _cover_in_corpus(place: Place) -> Command:
    cover(place)
    write_video(place.folder / "film.mp4", [grey(90)] * 10)
    return Command(["validate", corpus(place, "talk.mp3", "film.mp4")])


@situation("pictures-still")
def _still(place: Place) -> Command:
    cv2.imwrite(str(place.folder / "face.jpg"), grey(120))
    return Command(["predict", face_model(place), "face.jpg", "--out", place.out])


@situation("pictures-two-tracks")
def _two(place: Place) -> Command:
    write_tracks(place.folder / "two.mkv", {"mpeg4": noise(64, 96, 25), "mpeg2video": [grey(200)] * 25})
    return Command(["predict", face_model(place), "two.mkv", "--out", place.out])


@situation("pictures-two-tracks-in-a-corpus")
def _two_in_corpus(place: Place) -> Command:
    write_tracks(place.folder / "two.mkv", {"mpeg4": noise(64, 96, 25), "mpeg2video": [grey(200)] * 25})
    write_video(place.folder / "film.mp4", [grey(90)] * 10)
    return Command(["validate", corpus(place, "two.mkv", "film.mp4")])


@situation("pictures-no-face")
def _no_face(place: Place) -> Command:
    write_video(place.folder / "film.mp4", [grey(90)] * 25)
    return Command(["predict", face_model(place, "auto"), "film.mp4", "--out", place.out])


@situation("pictures-no-face-in-a-corpus")
def _no_face_in_corpus(place: Place) -> Command:
    write_video(place.folder / "film.mp4", [grey(90)] * 25)
    split = "{kind: k_fold, folds: 2, validation: {fraction: 0.2}, allow_speaker_overlap: true}"
    recipe = f"name: faces\nmodalities: {{face: {{encoder: hog}}}}\nprotocol: {split}\n"
    (place.folder / "faces.yaml").write_text(recipe)
    return Command(["train", "faces.yaml", corpus(place, *["film.mp4"] * 8), "--out", place.out])


@situation("pictures-not-square")
def _not_square(place: Place) -> Command:
    write_video(place.folder / "wide.mkv", noise(64, 96, 25), aspect=Fraction(64, 45))
    return Command(["predict", face_model(place), "wide.mkv", "--out", place.out])

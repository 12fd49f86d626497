"""Which part of a picture an encoder of faces sees: a found face, or the fixed window of split-screen footage."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import affuse
from affuse.corpora.corpus import Utterance
from affuse.corpora.generated.face import expressions
from affuse.corpora.generated.head import Head, draw_body
from affuse.corpora.generated.people import make_actor, make_room
from affuse.encoders.hog import HogEncoder, HogOptions
from affuse.errors import AffuseError, ClipError
from affuse.files import file_digest
from affuse.inference.predict import Predictor
from affuse.inference.settings import Settings
from affuse.inference.window_reader import WindowReader
from affuse.media import yunet
from affuse.media.video import read_faces
from affuse.media.yunet import packaged_detector
from affuse.models.index import INDEX, PREPROCESSING, RECIPE
from affuse.models.saving import save_model
from affuse.recipe import Recipe
from affuse.training.cache import FeatureCache
from affuse.training.features import extract
from video_files import write_video

SIZE = 48


def room(face: bool) -> np.ndarray:
    """A wide picture, a drawn face in its upper right corner or nowhere."""
    picture = np.full((256, 512, 3), 128, np.uint8)
    if face:
        actor, place = make_actor(0, 1, "F"), make_room(0, 1)
        still = expressions(1, 25.0, [], np.random.default_rng(0))
        drawn = Head(actor.look, place, still, False).draw(draw_body(actor.look, place), 0)
        drawn = cv2.cvtColor(drawn, cv2.COLOR_BGR2RGB)[:256]
        picture[: len(drawn), -drawn.shape[1] :] = drawn
    return picture


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 s with a face, then 2 s without."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return write_video(path, [room(True)] * 50 + [room(False)] * 50)


def read(film: Path, side: str | None = None, start: float = 0, **options: Any) -> np.ndarray | None:
    encoder = HogEncoder(HogOptions(**options))
    clip = encoder.read(Utterance("u", video=film, start=start, end=start + 1.6, side=side))
    return None if clip is None else clip.numpy()


def test_a_face_is_found_by_default_and_the_window_is_for_rows_with_a_side(film: Path) -> None:
    at = {"end": 1.6, "fps": 2.5, "size": SIZE}
    found = read_faces(film, **at, detector=packaged_detector()).frames
    window = {side: read_faces(film, **at, side=side).frames for side in (None, "left", "right")}
    half = read_faces(film, **at, side="right", detector=packaged_detector()).frames
    assert abs(found.astype(int) - window[None]).mean() > 10
    assert abs(half.astype(int) - window["right"]).mean() > 1
    np.testing.assert_array_equal(read(film), found)
    np.testing.assert_array_equal(read(film, side="right"), window["right"])
    np.testing.assert_array_equal(read(film, crop="detect"), found)
    np.testing.assert_array_equal(read(film, side="right", crop="detect"), half)
    np.testing.assert_array_equal(read(film, crop="window"), window[None])
    np.testing.assert_array_equal(read(film, detector=str(packaged_detector())), found)


def test_what_is_found_is_the_face(film: Path) -> None:
    """The detector sees one face again in the found square, in its middle and most of it."""
    found = read_faces(film, end=1, fps=2, size=96, detector=packaged_detector()).frames
    detector = cv2.FaceDetectorYN.create(str(packaged_detector()), "", (96, 96), 0.6)
    for frame in found:
        faces = detector.detect(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))[1]
        assert len(faces) == 1
        x, y, width, height = faces[0][:4]
        assert abs(x + width / 2 - 48) < 8
        assert abs(y + height / 2 - 48) < 8
        assert 0.6 * 96 < max(width, height) < 0.95 * 96


def test_a_clip_without_a_face_lacks_the_modality_and_says_so(film: Path, tmp_path: Path) -> None:
    encoder = HogEncoder(HogOptions())
    rows = [Utterance("a", video=film, start=0, end=1.6), Utterance("b", video=film, start=2.4, end=4)]
    clip, fault = encoder.read_with_fault(rows[1])
    assert clip is None
    assert fault == f"b: {film} shows no face from 2.40 s to 4.00 s, so its faces are missing."
    for again in range(2):
        done = extract("face", encoder, True, rows, FeatureCache(tmp_path))
        assert (done.keys["a"] is not None, done.keys["b"]) == (True, None)
        assert [(row.id, row.modality, row.cause) for row in done.partial] == [("b", "face", fault)]
        assert (done.skipped, done.computed) == ([], 1 - again)


def test_caches_are_shared_by_nothing_that_reads_otherwise(tmp_path: Path) -> None:
    keys = {HogEncoder(HogOptions(crop=crop)).reading_key for crop in ("auto", "detect", "window")}
    other = tmp_path / "other.onnx"
    other.write_bytes(b"another detector")
    keys.add(HogEncoder(HogOptions(detector=str(other))).reading_key)
    assert len(keys) == 4
    copy = shutil.copy(packaged_detector(), tmp_path / "copy.onnx")
    assert HogEncoder(HogOptions(detector=str(copy))).reading_key == HogEncoder(HogOptions()).reading_key


# ---- the file that comes with affuse


def test_the_packaged_file_has_its_notice_beside_it() -> None:
    notice = (packaged_detector().parent / "LICENSE").read_text(encoding="utf-8")
    assert "MIT License" in notice
    assert "Copyright (c) 2020 Shiqi Yu" in notice
    assert packaged_detector().name in notice


def test_an_altered_or_missing_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    altered = tmp_path / "yunet.onnx"
    altered.write_bytes(packaged_detector().read_bytes() + b" ")
    for path in (altered, tmp_path / "gone.onnx"):
        monkeypatch.setattr(yunet, "_FILE", path)
        packaged_detector.cache_clear()
        with pytest.raises(AffuseError, match=r"is missing or was altered .*; install affuse again, or"):
            HogEncoder(HogOptions()).reading_key  # noqa: B018
    monkeypatch.undo()
    packaged_detector.cache_clear()


# ---- prediction


def model_of(**options: Any) -> affuse.Model:
    recipe = Recipe.parse({"name": "r", "modalities": {"face": {"encoder": "hog", "options": options}}})
    return affuse.build(recipe).eval()


def choice(film: Path, settings: dict[str, Any], **options: Any) -> Path | None:
    """The detector that prediction takes."""
    predictor = Predictor(model_of(**options), Settings.of(settings))
    from affuse.inference.tracks import find_tracks

    reader = WindowReader(film, find_tracks(film), predictor.encoders, predictor.settings, [], [])
    return reader._faces["face"].options.detector


def test_prediction_reads_faces_as_the_recipe_says(film: Path, tmp_path: Path) -> None:
    own, other = packaged_detector(), tmp_path / "other.onnx"
    assert choice(film, {}) == own
    assert choice(film, {"side": "left"}) is None
    assert choice(film, {"side": "left"}, crop="detect") == own
    assert choice(film, {}, crop="window") is None
    assert choice(film, {"detector": other}, crop="window") == other
    assert choice(film, {"detector": other}) == other
    assert choice(film, {"face": (0.5, 0.5)}, crop="window") == own
    assert choice(film, {"face": (0.5, 0.5), "side": "left"}) == own


def test_a_window_is_read_as_the_same_row_and_one_without_a_face_lacks_it(film: Path) -> None:
    timeline = model_of().predict(film, window=1.6, hop=1.6)
    assert timeline.segments[-1].end <= 3.2
    assert timeline.faults == []
    with pytest.raises(
        ClipError, match=r"film\.mp4 shows no face where it is predicted, so its faces are missing"
    ):
        model_of().predict(film, start=2.4)


# ---- models of an affuse that did not know of auto


@pytest.mark.parametrize("age", ["no preprocessing", "window by default", "auto by default"])
def test_an_older_model_folder_keeps_its_window(film: Path, tmp_path: Path, age: str) -> None:
    save_model(model_of(), tmp_path)
    index = json.loads((tmp_path / INDEX).read_text())
    about = json.loads((tmp_path / PREPROCESSING).read_text())
    assert about["modalities"]["face"]["options"]["crop"] == "auto"
    assert "crop" not in Recipe.load(tmp_path / RECIPE).modalities["face"].options
    if age == "window by default":
        about["modalities"]["face"]["options"]["crop"] = "window"
        (tmp_path / PREPROCESSING).write_text(json.dumps(about))
        index["files"][PREPROCESSING] = file_digest(tmp_path / PREPROCESSING)
    if age == "no preprocessing":
        del index["files"][PREPROCESSING]
    (tmp_path / INDEX).write_text(json.dumps(index))
    expected = "auto" if age == "auto by default" else "window"
    model = affuse.load(tmp_path)
    assert model.resolved["face"].options.crop == expected
    save_model(model, tmp_path / "again")
    assert affuse.load(tmp_path / "again").resolved["face"].options.crop == expected

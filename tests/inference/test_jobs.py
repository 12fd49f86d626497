"""Jobs from tables: one per clip, half and words; what a model of faces alone takes of a clip."""

import re
from pathlib import Path

import numpy as np
import pytest

from affuse.errors import AffuseError
from affuse.inference.jobs import find_jobs
from affuse.inference.predict import Predictor
from affuse.inference.settings import Settings
from affuse.model import Model
from affuse.recipe import Recipe
from video_files import grey, write_video


def test_both_halves_of_one_picture_are_two_jobs(tmp_path):
    table = tmp_path / "clips.csv"
    table.write_text("path,side\na.mp4,left\na.mp4,right\na.mp4,left\n")
    jobs = find_jobs([str(table)], Settings())
    assert [job.settings.side for job in jobs] == ["left", "right"]
    assert len({str(job.name) for job in jobs}) == 2


def test_a_model_of_faces_takes_the_clip_beyond_its_sound(tmp_path: Path):
    recipe = Recipe.load("demo-server-face", ["modalities.text=null", "modalities.audio=null"])
    model = Model(recipe, {"emotion": ["anger", "neutral"]}).eval()
    clip = write_video(tmp_path / "a.mkv", [grey(60 + i) for i in range(100)], sound_seconds=1.0)
    timeline = Predictor(model, Settings(vad=None)).predict(clip)
    assert abs(timeline.seconds - 4.0) < 0.1
    assert abs(timeline.segments[-1].end - 4.0) < 0.1
    assert not timeline.faults
    assert np.isclose(timeline.segments[0].start, 0.0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"unsure": 2}, "unsure takes a number from 0 to 1, not 2."),
        ({"side": "middle"}, "side takes left or right, not 'middle'."),
        ({"window": float("inf")}, "window takes seconds above 0, not inf."),
        ({"face": (0.5, float("nan"))}, "face takes two numbers from 0 to 1, not (0.5, nan)."),
        ({"batch": 0}, "batch takes a whole number above 0, not 0."),
        ({"asr": 7}, "asr takes text, not 7."),
    ],
)
def test_settings_that_cannot_be_are_told_in_our_words(values, said):
    with pytest.raises(AffuseError, match=f"^{re.escape(said)}$"):
        Settings.of(values)


def test_every_setting_says_what_it_takes():
    for name in Settings.model_fields:
        with pytest.raises(AffuseError, match=f"^{name} takes "):
            Settings.of({name: object()})


def test_a_tables_side_is_told_with_its_row(tmp_path):
    table = tmp_path / "clips.csv"
    table.write_text("path,side\na.mp4,left\nb.mp4,lfet\n")
    with pytest.raises(AffuseError, match=r"clips.csv, row 3, side: 'lfet' is neither left nor right"):
        find_jobs([str(table)], Settings())


@pytest.mark.parametrize(
    ("header", "close", "known"),
    [
        ("path,sied", "sied", "side"),
        ("path,Side", "Side", "side"),
        ("path,texts", "texts", "text"),
        ("path,sde", "sde", "side"),
        ("pth,notes", "pth", "path"),
    ],
)
def test_a_misspelt_column_is_not_ignored(tmp_path, header, close, known):
    table = tmp_path / "clips.csv"
    table.write_text(f"{header}\na.mp4,left\n")
    with pytest.raises(AffuseError, match=rf"clips.csv has a column '{close}': did you mean '{known}'\?"):
        find_jobs([str(table)], Settings())


@pytest.mark.parametrize("other", ["size", "test", "id", "speaker", "paths", "text_id"])
def test_other_columns_are_ignored(tmp_path, other):
    table = tmp_path / "clips.csv"
    table.write_text(f"path,{other}\na.mp4,left\n")
    assert [job.settings.side for job in find_jobs([str(table)], Settings())] == [None]

"""Jobs from tables: one per clip, half and words; what a model of faces alone takes of a clip."""

from pathlib import Path

import numpy as np

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

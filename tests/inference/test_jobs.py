"""Jobs from tables: one per clip, half and words; what a model of faces alone takes of a clip."""

import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch

from affuse.errors import AffuseError
from affuse.inference.clip_range import ClipRange
from affuse.inference.jobs import find_jobs
from affuse.inference.predict import Predictor
from affuse.inference.settings import Settings
from affuse.inference.words import Cue
from affuse.models.network import Model
from affuse.recipe import Recipe
from audio_files import write_sound
from video_files import grey, write_video
from voices import RATE, recording


def test_both_halves_of_one_picture_are_two_jobs(tmp_path: Path) -> None:
    table = tmp_path / "clips.csv"
    table.write_text("path,side\na.mp4,left\na.mp4,right\na.mp4,left\n")
    jobs = find_jobs([str(table)], Settings())
    assert [job.settings.side for job in jobs] == ["left", "right"]
    assert len({str(job.name) for job in jobs}) == 2


def test_a_model_of_faces_takes_the_clip_beyond_its_sound(tmp_path: Path) -> None:
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
def test_settings_that_cannot_be_are_told_in_our_words(
    values: dict[str, float | str | tuple[float, float]], said: str
) -> None:
    with pytest.raises(AffuseError, match=f"^{re.escape(said)}$"):
        Settings.of(values)


def test_every_setting_says_what_it_takes() -> None:
    for name in Settings.model_fields:
        with pytest.raises(AffuseError, match=f"^{name} takes "):
            Settings.of({name: object()})


def test_a_tables_side_is_told_with_its_row(tmp_path: Path) -> None:
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
def test_a_misspelt_column_is_not_ignored(tmp_path: Path, header: str, close: str, known: str) -> None:
    table = tmp_path / "clips.csv"
    table.write_text(f"{header}\na.mp4,left\n")
    with pytest.raises(AffuseError, match=rf"clips.csv has a column '{close}': did you mean '{known}'\?"):
        find_jobs([str(table)], Settings())


@pytest.mark.parametrize("other", ["size", "test", "id", "speaker", "paths", "text_id"])
def test_other_columns_are_ignored(tmp_path: Path, other: str) -> None:
    table = tmp_path / "clips.csv"
    table.write_text(f"path,{other}\na.mp4,left\n")
    assert [job.settings.side for job in find_jobs([str(table)], Settings())] == [None]


def test_a_range_is_predicted_as_a_file_that_holds_it_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    voice = {"audio": {"encoder": "logmel", "options": {"bands": 16}}}
    model = Model(Recipe.parse({"name": "t", "modalities": voice}), {"emotion": ["anger", "neutral"]}).eval()
    wave = recording(0.5, ("neu", 2.5), 1.0, ("sad", 2.5), 0.5)
    whole = write_sound(tmp_path / "talk.wav", wave, RATE)
    cut = write_sound(tmp_path / "cut.wav", wave[int(3.5 * RATE) : int(6.5 * RATE)], RATE)
    (tmp_path / "talk.srt").write_text(
        "1\n00:00:00,500 --> 00:00:03,000\nbefore it\n\n2\n00:00:04,000 --> 00:00:06,000\nwithin it\n"
    )
    part = Predictor(model, Settings(start=3.5, end=6.5, text=tmp_path / "talk.srt")).predict(whole)
    alone = Predictor(model, Settings()).predict(cut)
    assert (part.start, part.seconds) == (3.5, alone.seconds) == (3.5, 3.0)
    assert [(one.start - 3.5, one.end - 3.5, one.answers) for one in part.segments] == [
        (pytest.approx(one.start), pytest.approx(one.end), one.answers) for one in alone.segments
    ]
    assert " ".join(one.text for one in part.segments) == "within it"
    assert np.array_equal(part.peaks, alone.peaks)
    assert part.plot().axes[-1].get_xlim() == (3.5, 6.5)


def test_a_cue_on_the_edge_of_a_range_gives_the_words_within() -> None:
    cues = [Cue(0.0, 4.0, "aa bb cc dd"), Cue(6.0, 7.0, "later"), Cue(None, None, "untimed")]
    assert ClipRange(2.0, 6.0).cues(cues) == [Cue(2.0, 4.0, "cc dd"), Cue(None, None, "untimed")]


def test_pictures_of_the_range_only(tmp_path: Path) -> None:
    recipe = Recipe.load("demo-server-face", ["modalities.text=null", "modalities.audio=null"])
    model = Model(recipe, {"emotion": ["anger", "neutral"]}).eval()
    clip = write_video(tmp_path / "a.mkv", [grey(20 + 2 * i) for i in range(100)])
    timeline = Predictor(model, Settings(start=1.0, end=3.0, window=1.0)).predict(clip)
    assert (timeline.segments[0].start, timeline.segments[-1].end) == (1.0, 3.0)
    shades = [picture.pixels.mean() for picture in timeline.pictures]
    assert min(shades) >= 20 + 2 * 25
    assert max(shades) <= 20 + 2 * 75


def test_rows_of_a_table_are_clips_of_their_own(tmp_path: Path) -> None:
    table = tmp_path / "clips.csv"
    table.write_text(
        "audio;video;start;end;video_start;video_end;channel;valence;text\n"
        "a.wav;f.mp4;1;2;5;6;1;;NA\na.wav;f.mp4;2;;5;6;;;\n;f.mp4;1;2;5;6;;;\n;f.mp4;1;2;;;;;\n;;;;;;;;lost\n"
    )
    said = []
    jobs = find_jobs([str(table)], Settings(), said.append)
    assert [(job.path.name, job.settings.start, job.settings.end, job.settings.channel) for job in jobs] == [
        ("a.wav", 1.0, 2.0, 1), ("a.wav", 2.0, None, None), ("f.mp4", 5.0, 6.0, None), ("f.mp4", 1.0, 2.0, None),
    ]  # fmt: skip
    assert jobs[0].settings.words == "NA"
    assert [job.name for job in jobs] == ["a_1-2", "a_2-end", "f_5-6", "f_1-2"]
    assert [sentence.partition("clips.csv")[2] for sentence in said] == [
        ": a clip is one file here, that of the column audio; the column video is read where audio is blank.",
        ": the columns video_start, video_end cannot be used here.",
        ", row 6: no audio or video is given; left out.",
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("start\na.wav,0:30", "row 2, start: '0:30' is not a number of seconds."),
        (
            'end\na.wav,"1,5"',
            "row 2, end: '1,5' is not a number of seconds; write the decimals with a point.",
        ),
        ("channel\na.wav,-1", "row 2, channel: '-1' is not a channel; they are whole numbers from 0."),
        ("channel\na.wav,1.5", "row 2, channel: '1.5' is not a channel"),
        ("start\na.wav,nan", "row 2, start: 'nan' is not a number of seconds."),
        ("strat\na.wav,1", "has a column 'strat': did you mean 'start'?"),
    ],
)
def test_a_row_that_cannot_be_meant_is_told(tmp_path: Path, row: str, message: str) -> None:
    table = tmp_path / "clips.csv"
    table.write_text(f"path,{row}\n")
    with pytest.raises(AffuseError, match=re.escape(message)):
        find_jobs([str(table)], Settings())


def test_a_table_names_files_in_either_unicode_form(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "José.wav") for form in ("NFC", "NFD"))
    (tmp_path / decomposed).write_bytes(b"x")
    (tmp_path / "clips.csv").write_text(f"path\n{composed}\n", encoding="utf-8")
    assert [job.path.name for job in find_jobs([str(tmp_path / "clips.csv")], Settings())] == [decomposed]

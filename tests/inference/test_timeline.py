"""A timeline as an object: one line, a picture in a notebook, a file by its ending."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affuse.errors import AffuseError
from affuse.inference.timeline import Answer, Segment, Timeline
from inference.timelines import EMOTION, GENDER, make_timeline


def test_it_prints_as_one_line_however_long_it_is() -> None:
    timeline = make_timeline(3600, 4, EMOTION | GENDER, name="talk\n'1'.wav")
    label = timeline.summary["emotion"]
    assert repr(timeline).startswith("Timeline(\"talk\\x0a'1'.wav\": 3600.0 s, ") or "\\\\x0a" in repr(
        timeline
    )
    assert f"emotion: {label.label}" in repr(timeline)
    assert len(repr(timeline)) < 150
    assert "\n" not in repr(timeline)
    assert str(timeline) == repr(timeline)
    empty = Timeline("a.wav", 4.0, [], {}, EMOTION, 2.0, 1.0)
    assert repr(empty) == "Timeline('a.wav': 4.0 s, 0 segments)"


def test_a_notebook_shows_a_picture_and_the_first_segments() -> None:
    page = make_timeline(60, 1, EMOTION | GENDER)._repr_html_()
    assert page.count("<img ") == 1
    assert 'src="data:image/png;base64,iVBOR' in page
    assert page.count("<tr>") == 1 + 12
    assert "<th>gender</th><th>words</th>" in page
    assert re.search(r"and \d+ more; see", page)
    assert len(page) < 300_000


def test_what_comes_from_clips_is_escaped_in_a_notebook() -> None:
    evil = "<script>alert('1')</script>\"&"
    sure = Answer(evil, 0.9, False, {evil: 0.9, "b": 0.1})
    segment = Segment(0.0, 1.0, {evil: sure}, ("audio",), evil)
    timeline = Timeline(
        f"{evil}.wav",
        1.0,
        [segment],
        {evil: sure},
        {evil: [evil, "b"]},
        2.0,
        1.0,
        faults=[evil],
        warning=evil,
    )
    page = timeline._repr_html_()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert 'alt="Timeline(' in page
    assert page.count('"') == 2 * 3  # src, alt and style of the picture; no quote of the clip's


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("a.json", b'{\n  "clip": "talk.mp4"'), ("a.csv", b"clip,start,end,emotion"), ("a.SRT", b"1\n00:00:00,200 -->"),
        ("a.vtt", b"WEBVTT"), ("a.txt", b"0.200000\t"), ("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF"),
    ],
)  # fmt: skip
def test_the_ending_chooses_the_format(tmp_path: Path, name: str, begins: bytes) -> None:
    path = tmp_path / "deep" / name
    for target in (path, str(path)):  # again, over itself
        assert make_timeline(10, 2, EMOTION).save(target) == path
    assert path.read_bytes().startswith(begins)
    assert [one.name for one in path.parent.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.xyz", "a", "a.docx", "a.", ".json"])
def test_other_endings_are_refused_with_the_list(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        AffuseError,
        match=r"a timeline is written as \.json, \.csv, \.curve\.csv, \.srt, \.vtt, \.txt .*\.png, \.svg",
    ):
        make_timeline(10, 2, EMOTION).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_the_clip_itself_is_never_replaced(tmp_path: Path) -> None:
    clip = tmp_path / "talk.txt"
    clip.write_text("a clip by an odd name")
    timeline = make_timeline(10, 2, EMOTION, name=str(clip))
    (tmp_path / "link.txt").symlink_to(clip)
    for path in (clip, tmp_path / "link.txt"):
        with pytest.raises(AffuseError, match=r"is the clip itself, and saving would replace it"):
            timeline.save(path)
    assert clip.read_text() == "a clip by an odd name"


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AffuseError, match=r"a\.json cannot be written \(.*\); choose another out"):
        make_timeline(10, 2, EMOTION).save(tmp_path / "file" / "a.json")


def test_the_frame_is_what_the_csv_holds(tmp_path: Path) -> None:
    timeline = make_timeline(30, 2, EMOTION | GENDER)
    read = pd.read_csv(timeline.save(tmp_path / "a.csv"), keep_default_na=False).drop(columns="clip")
    frame = timeline.to_frame()
    assert list(read.columns) == list(frame.columns)
    np.testing.assert_allclose(read["end"], frame["end"], atol=5e-4)
    assert list(read["text"]) == list(frame["text"])
    rows = json.loads(timeline.save(tmp_path / "a.json").read_text())["segments"]
    assert [row["gender"]["label"] for row in rows] == list(frame["gender"])

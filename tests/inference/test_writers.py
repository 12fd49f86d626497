"""Every format says what the timeline says: read back by another reader."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from affuse.inference.judge import Judge
from affuse.inference.timeline import Answer, Segment, Timeline
from affuse.inference.windows import Moment
from affuse.inference.words import Cue, parse_cues
from affuse.inference.writers import WRITERS

SPACE = ["anger", "neutral"]


def answer(p: float, unsure: bool = False):
    return Answer(SPACE[int(p < 0.5)], max(p, 1 - p), unsure, {"anger": p, "neutral": 1 - p})


@pytest.fixture
def timeline():
    segments = [
        Segment(0.5, 2.25, {"emotion": answer(0.75)}, ("audio", "text"), "Tom & Ann <3 --> you, \"yes\""),
        Segment(3661.0, 3662.9996, {"emotion": answer(0.375, unsure=True)}, ("audio",), ""),
    ]  # fmt: skip
    return Timeline("a b.wav", 3700.0, segments, {"emotion": answer(0.5)}, {"emotion": SPACE}, 2.0, 1.0)


def test_json(timeline: Timeline) -> None:
    told = json.loads(WRITERS["json"]().text(timeline))
    assert told["clip"] == "a b.wav"
    assert told["segments"][0]["emotion"]["probabilities"] == {"anger": 0.75, "neutral": 0.25}
    assert told["segments"][1]["emotion"]["unsure"] is True
    assert told["segments"][0]["modalities"] == ["audio", "text"]
    assert json.loads(WRITERS["json"]().line(timeline)) == told


def test_csv(timeline: Timeline) -> None:
    table = pd.read_csv(StringIO(WRITERS["csv"]().text(timeline)), keep_default_na=False)
    assert list(table.columns) == [
        "clip", "start", "end", "emotion", "emotion_confidence", "emotion_unsure", "emotion_p_anger",
        "emotion_p_neutral", "modalities", "text",
    ]  # fmt: skip
    assert list(table["emotion"]) == ["anger", "neutral"]
    assert table["text"][0] == timeline.segments[0].text
    assert list(table["end"]) == [2.25, 3663.0]


def test_srt_to_the_letter(timeline: Timeline) -> None:
    assert WRITERS["srt"]().text(timeline) == (
        '1\n00:00:00,500 --> 00:00:02,250\nanger 0.75\nTom & Ann <3 --> you, "yes"\n'
        "\n2\n01:01:01,000 --> 01:01:03,000\nneutral? 0.62\n"
    )


def test_vtt_is_read_back(timeline: Timeline) -> None:
    text = WRITERS["vtt"]().text(timeline)
    assert text.startswith("WEBVTT\n\n")
    assert parse_cues(text) == [
        Cue(0.5, 2.25, 'anger 0.75 Tom & Ann <3 --> you, "yes"'), Cue(3661.0, 3663.0, "neutral? 0.62"),
    ]  # fmt: skip


def test_audacity(timeline: Timeline) -> None:
    rows = [line.split("\t") for line in WRITERS["audacity"]().text(timeline).splitlines()]
    assert rows == [["0.500000", "2.250000", "anger 0.75"], ["3661.000000", "3662.999600", "neutral? 0.62"]]


@pytest.mark.parametrize("name", list(WRITERS))
def test_an_empty_timeline_is_a_file_too(name: str, tmp_path: Path) -> None:
    empty = Timeline("x.wav", 1.0, [], {}, {"emotion": SPACE}, 2.0, 1.0)
    path = WRITERS[name]().write(empty, tmp_path / "x.y")
    assert path.name == "x.y" + WRITERS[name].suffix  # a dot in the name is no suffix
    assert "anger 0" not in path.read_text()


def test_segments_join_like_moments_of_a_span_and_weigh_them_by_time() -> None:
    def moment(start: Any, end: Any, span: Any, p: Any, windows: Any):
        return Moment(start, end, span, windows, {"emotion": np.array([p, 1 - p])})

    moments = [
        moment(0, 1, 0, 0.9, (0,)), moment(1, 4, 0, 0.6, (0, 1)), moment(4, 5, 0, 0.2, (1,)),
        moment(6, 7, 1, 0.1, (2,)),  # like the last, but after a silence
    ]  # fmt: skip
    judge = Judge({"emotion": SPACE}, {"emotion": 0.7})
    found = judge.segments(moments, [("audio",), ("audio", "face"), ("face",)], [])
    assert [(s.start, s.end, s.answers["emotion"].label) for s in found] == [
        (0, 4, "anger"), (4, 5, "neutral"), (6, 7, "neutral"),
    ]  # fmt: skip
    assert found[0].answers["emotion"].confidence == pytest.approx((0.9 + 3 * 0.6) / 4)
    assert [s.answers["emotion"].unsure for s in found] == [True, False, False]
    assert [s.modalities for s in found] == [("audio", "face"), ("audio", "face"), ("face",)]
    summary = judge.summary(moments)["emotion"]
    assert summary.probabilities["anger"] == pytest.approx((0.9 + 3 * 0.6 + 0.2 + 0.1) / 6)

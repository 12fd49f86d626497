"""The timeline's picture: nothing overlaps, nothing is cut off, everything that is drawn is explained."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from affuse.figures import cut_to, text_inches
from affuse.inference.plot_task import looks_of, runs
from affuse.inference.timeline import Answer, Segment, Timeline
from inference.timelines import EMOTION, GENDER, make_timeline

EIGHT = {"emotion": ["anger", "calm", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]}
LONG = {"emotion": ["an extraordinarily long label's name", "another", "feeling of déjà vu"]}
MANY = {"emotion": [f"class{i}" for i in range(28)]}


def texts(figure: Figure) -> list[tuple[str, Any]]:
    """Every text that is drawn, with its box in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    beyond = {  # ticks that matplotlib keeps beyond the limits and does not draw
        id(label)
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks()
        for label in (tick.label1, tick.label2)
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }
    found = []
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if text.get_text().strip() and text.get_visible() and id(text) not in beyond:
            found.append((text.get_text(), text.get_window_extent(renderer)))
    return found


@pytest.mark.parametrize(
    ("timeline", "least"),
    [
        (make_timeline(5, 1, EMOTION), 15),
        (make_timeline(0.4, 0.1, EMOTION), 10),
        (make_timeline(75, 3, EMOTION | GENDER, faces=True), 40),
        (make_timeline(60, 0.4, EIGHT), 40),
        (make_timeline(20, 2, LONG, unsure=0.7), 15),
        (make_timeline(20, 2, MANY, words=False), 30),
        (make_timeline(3600, 4, EMOTION | GENDER, faces=True, name="a very long name " * 12 + ".mp4"), 30),
        (make_timeline(600, 6, GENDER, start=3000), 15),
    ],
    ids=["5 s", "0.4 s", "two tasks", "short segments", "long names", "many classes", "an hour", "a part"],
)
def test_no_text_lies_over_another_or_leaves_the_picture(timeline: Timeline, least: int) -> None:
    figure = timeline.plot()
    found = texts(figure)
    width, height = figure.bbox.width, figure.bbox.height
    for said, box in found:
        assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1, said  # noqa: PT018
    for (one, a), (other, b) in combinations(found, 2):
        overlap = min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 2
        assert not overlap, (one, other)
    assert len(found) >= least


def shown(timeline: Timeline, **options: Any) -> set[str]:
    return {said for said, _ in texts(timeline.plot(**options))}


def test_pale_stands_in_the_legend_where_something_is_pale() -> None:
    assert "pale, ?: unsure" in shown(make_timeline(20, 2, EMOTION, unsure=0.6))
    assert "pale, ?: unsure" not in shown(make_timeline(20, 2, EMOTION, unsure=0.0))


def test_gender_is_said_to_be_the_corpuss_annotation_and_tasks_can_be_drawn_alone() -> None:
    timeline = make_timeline(20, 2, EMOTION | GENDER)
    assert {"gender\n(the corpus's annotation)", "emotion"} <= shown(timeline)
    assert "emotion" not in shown(timeline, task="gender")


@pytest.mark.parametrize(
    ("seconds", "start", "label", "tick"),
    [
        (75, 0, "time (seconds)", "70"),
        (300, 0, "time (minutes:seconds)", "4:30"),
        (3600, 0, "time (hours:minutes:seconds)", "0:55:00"),
        (60, 3590, "time (hours:minutes:seconds)", "1:00:30"),
    ],
)
def test_the_axis_has_its_unit(seconds: float, start: float, label: str, tick: str) -> None:
    assert {label, tick} <= shown(make_timeline(seconds, 10, EMOTION, start=start))


def test_a_label_is_drawn_once_for_neighbouring_segments_that_another_task_cuts() -> None:
    def segment(start: float, end: float, p: float, female: bool, unsure: bool = False) -> Segment:
        emotion = Answer("anger", p, unsure, {"anger": p, "neutral": 1 - p})
        gender = Answer(
            "female" if female else "male", 1.0, False, {"female": 1.0 * female, "male": 1.0 * (not female)}
        )
        return Segment(start, end, {"emotion": emotion, "gender": gender}, ("audio",), "")

    parts = [
        segment(0, 4, 0.8, True),
        segment(4, 8, 0.7, False),
        segment(8, 12, 0.55, False, True),
        segment(13, 15, 0.9, True),
    ]
    spaces = {"emotion": ["anger", "neutral"], "gender": ["female", "male"]}
    timeline = Timeline("a.wav", 16.0, parts, dict(parts[0].answers), spaces, 2.0, 1.0)
    assert [(one.start, one.end, one.unsure) for one in runs(timeline, "emotion")] == [
        (0, 8, False), (8, 12, True), (13, 15, False),
    ]  # fmt: skip
    assert [(one.start, one.end) for one in runs(timeline, "gender")] == [(0, 4), (4, 12), (13, 15)]


def test_every_class_looks_unlike_the_others_and_usual_ones_always_the_same() -> None:
    for space in (
        EMOTION["emotion"],
        EIGHT["emotion"],
        MANY["emotion"],
        GENDER["gender"],
        ["x", "neutral", "y"],
    ):
        looks = looks_of(space)
        assert list(looks) == list(space)
        assert len(set(looks.values())) == len(space)
    assert (
        looks_of(EMOTION["emotion"])["neutral"]
        == looks_of(EIGHT["emotion"])["neutral"]
        == looks_of(["x", "neutral"])["neutral"]
    )


def test_stacked_probabilities_reach_from_0_to_1() -> None:
    timeline = make_timeline(20, 2, EMOTION)
    figure = timeline.plot()
    heights: dict[float, float] = {}
    for drawn in figure.axes[-1].collections:
        for path in drawn.get_paths():
            low, high = path.get_extents().get_points()
            if high[1] <= 1 + 1e-9:  # below the ribbon
                heights[low[0]] = heights.get(low[0], 0.0) + high[1] - low[1]
    assert sorted(heights) == [segment.start for segment in timeline.segments]
    np.testing.assert_allclose(list(heights.values()), 1, atol=1e-6)


def test_words_that_have_no_room_are_counted_and_a_silent_clip_says_so() -> None:
    said = shown(make_timeline(3600, 4, EMOTION))
    assert any(text.endswith("words, too many to show here") for text in said)
    silent = Timeline("a.wav", 4.0, [], {}, EMOTION, 2.0, 1.0, peaks=np.zeros(80, np.float32))
    assert "nobody speaks" in shown(silent)


def test_a_text_is_cut_to_its_room() -> None:
    assert cut_to("short", 2.0, 8) == "short"
    for middle in (False, True):
        cut = cut_to("a name that goes on and on and on.mp4", 1.0, 8, middle=middle)
        assert "…" in cut
        assert 0.8 < text_inches(cut, 8) <= 1.0
    assert cut.startswith("a name")
    assert cut.endswith(".mp4")
    assert cut_to("nothing", 0.0, 8) == ""


def test_a_class_has_its_colour_in_any_spelling() -> None:
    german = looks_of(["Wut", "Freude", "Trauer", "Frau", "bliss"])
    usual = looks_of(["anger", "happiness", "sadness", "female"])
    assert [german[name] for name in ("Wut", "Freude", "Trauer", "Frau")] == list(usual.values())
    assert len(set(looks_of(["happy", "joy"]).values())) == 2

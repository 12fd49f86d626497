"""Figures take any text: words, labels, tasks, names of files."""

import warnings
from pathlib import Path
from xml.dom import minidom

import numpy as np
import pandas as pd
import pytest

from affuse.errors import AffuseError
from affuse.inference.timeline import Answer, Segment, Timeline
from affuse.reports.figures.confusion import confusion
from affuse.reports.figures.embedding_maps import embedding_maps
from affuse.reports.figures.lanes import class_distribution, forest
from affuse.reports.figures.training_curves import training_curves
from affuse.reports.figures.training_figure import save_figure, training_figure

ODD = "a$_{$ \\frac ^ & <b> 😀 你好"


def test_a_timelines_picture_has_its_words_as_they_stand(tmp_path: Path) -> None:
    words = f"{ODD} \b नमस्ते"
    answer = Answer(ODD, 0.9, False, {ODD: 0.9, "_$_$": 0.1})
    segment = Segment(0, 9, {ODD: answer}, ("audio",), words)
    name = "caf\udce9 $a_{$.wav"  # a byte of Latin-1
    timeline = Timeline(
        name, 9.0, [segment], {ODD: answer}, {ODD: [ODD, "_$_$"]}, 2.0, 1.0, [], peaks=np.ones(180, "f4")
    )
    timeline.words = [*timeline.words, None]  # type: ignore[list-item]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of letters that the font lacks, one for each
        for kind in ("png", "svg"):
            figure = timeline.plot(tmp_path / f"a.{kind}")
    shown = [text.get_text() for text in figure.findobj(lambda one: hasattr(one, "get_text"))]
    assert "caf\\xe9 $a_{$.wav" in shown
    assert words.replace("\b", "\\x08") in shown
    assert {ODD, "_$_$", f"9.0 s, 1 segment. Whole clip: {ODD} {ODD} 0.90"} <= set(shown)
    minidom.parse(str(tmp_path / "a.svg"))  # no control characters


def test_reports_figures_have_names_as_they_stand(tmp_path: Path) -> None:
    row = {"label": ODD, "group": ODD, "value": 0.5, "low": 0.4, "high": 0.6, "ceiling": np.nan}
    epochs = pd.DataFrame({
        "epoch": [1, 2], "train_joint": [2.0, 1.0], f"train_loss_{ODD}": [2.0, 1.0], f"weight_{ODD}": [1.0, 1.0],
    })  # fmt: skip
    points, of = np.random.default_rng(0).standard_normal((12, 3)), np.array([ODD, "b"] * 6)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Glyph")
        drawn = [
            *forest(pd.DataFrame([row]), 0.5, ODD, "x"), *class_distribution({ODD: 3, "$": 2}, "x"),
            confusion(np.eye(2), [ODD, "$"], "x"), training_curves([epochs], "x"),
            embedding_maps({ODD: (points, of)}, [ODD, "b"], "x"),
        ]  # fmt: skip
    for svg in drawn:
        assert svg is not None
        assert "a$_{$ \\frac ^ &amp; &lt;b&gt; 😀 你好" in svg
    epochs.to_csv(tmp_path / "metrics.csv", index=False)
    save_figure(training_figure({ODD: [tmp_path]}), tmp_path / "losses.png")
    assert (tmp_path / "losses.png").stat().st_size


def test_a_picture_of_another_kind_is_one_sentence(tmp_path: Path) -> None:
    timeline = Timeline("a.wav", 1.0, [], {}, {"emotion": ["anger"]}, 2.0, 1.0)
    with pytest.raises(AffuseError, match=r"a.foo: a picture is no .foo file; give png, svg or pdf"):
        timeline.plot(tmp_path / "a.foo")

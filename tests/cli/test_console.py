"""Tables on narrow consoles: no word is broken that fits, and nothing is left out."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from rich.console import Console

from affuse.cli import console
from affuse.cli.compare import _without_constants

TASKS = ("emotion", "valence", "arousal", "dominance")
WIDE = pd.DataFrame(
    {
        "recipe": ["four", "baseline"],
        "weighting": ["softmax", "-"],
        "weights (emotion, valence, arousal, dominance)": ["0.250, 0.250, 0.250, 0.250", ""],
        **{
            f"{task} {metric}": [f"-0.0{i}5 [-0.2{j}1, 0.13{i}]", f"0.{i}{j}"]
            for i, task in enumerate(TASKS)
            for j, metric in enumerate(("CCC", "Pearson", "RMSE"))
        },
    }
)


def printed(
    table: pd.DataFrame, naming: int, width: int, monkeypatch: pytest.MonkeyPatch, title: str = "Title"
) -> str:
    file = io.StringIO()
    monkeypatch.setattr(console, "out", Console(file=file, width=width, markup=False))
    console.print_table(table, title, naming)
    return file.getvalue()


@pytest.mark.parametrize("width", [40, 80, 100, 140, 300])
def test_words_and_numbers_stay_whole_at_every_width(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(WIDE, 2, width, monkeypatch)
    assert max(map(len, text.splitlines())) <= width
    found = text.replace("│", " ").replace("┃", " ").split()
    for column in WIDE:
        for cell in (column, *WIDE[column]):
            assert not [word for word in cell.split() if found.count(word) == 0]
    tables = text.count("┏")
    assert text.count("four") == text.count("softmax") == tables  # each says of which row it is
    assert tables == 1 if width == 300 else tables > 1
    assert text.count("Title") == 1


def test_a_word_that_does_not_fit_at_all_is_folded_and_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(pd.DataFrame({"name": ["a" * 50], "n": [1]}), 1, 40, monkeypatch)
    assert text.count("a") == 51  # with the one of the header
    assert max(map(len, text.splitlines())) <= 40


def test_what_all_rows_are_called_goes_into_the_title() -> None:
    table = pd.DataFrame(
        {"recipe": ["a", "a"], "loss": ["x", "y"], "modalities": ["audio"] * 2, "CCC": ["1", "1"]}
    )
    kept, title, naming = _without_constants(table, "Title", ["recipe", "loss", "modalities"])
    assert list(kept.columns) == ["loss", "CCC"]
    assert (title, naming) == ("Title; all rows: recipe a, modalities audio", 1)
    kept, title, naming = _without_constants(table[:1], "Title", ["recipe", "loss"])
    assert list(kept.columns) == ["recipe", "modalities", "CCC"]
    assert (title, naming) == ("Title; all rows: loss x", 1)

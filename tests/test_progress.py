"""Long work reports: a line now and then in a log, each sentence once."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

import affuse
from affuse.progress import BETWEEN_LINES, FIRST_LINE, Bars, Lines, in_words, reporting
from small_corpus import make_corpus


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def heard(steps: int, seconds_each: float, done: int = 0) -> list[str]:
    """The lines of a stage of ``steps`` steps."""
    clock, text = Clock(), io.StringIO()
    advance = Lines(Console(file=text), clock).start("audio", done + steps, done)
    for _ in range(steps):
        clock.now += seconds_each
        advance()
    return text.getvalue().splitlines()


def test_a_short_stage_prints_nothing() -> None:
    assert heard(10, FIRST_LINE / 20) == []


def test_a_log_gets_a_line_now_and_then_and_one_at_the_end() -> None:
    lines = heard(100, 10.0)
    assert lines[0] == "audio: 2 of 100, 20 s, about 16 min left"
    assert len(lines) == 1 + int((1000 - FIRST_LINE) // BETWEEN_LINES) + 1
    assert lines[-1] == "audio: 100 of 100, 17 min"


def test_a_stage_whose_end_is_reported_again_ends_once() -> None:
    clock, text = Clock(), io.StringIO()
    report = Lines(Console(file=text), clock).count("epochs")
    for done in (10, 20, 20, 20):
        clock.now += FIRST_LINE
        report(done, 20)
    assert text.getvalue().splitlines() == [
        "epochs: 10 of 20, 20 s",
        "epochs: 20 of 20, 40 s",
    ]


def test_what_is_left_counts_the_steps_of_this_time_only() -> None:
    assert heard(10, 30.0, done=990)[0] == "audio: 991 of 1000, 30 s, about 4 min left"  # 9 steps of 30 s


def test_no_terminal_gets_lines_and_each_sentence_once() -> None:
    text = io.StringIO()
    with reporting(Console(file=text)) as progress:
        assert isinstance(progress, Lines)
        progress.say("A split [of 5 folds].")
        progress.say("A split [of 5 folds].")
    assert text.getvalue() == "A split [of 5 folds].\n"


def test_seconds_in_words() -> None:
    assert [in_words(x) for x in (0.2, 59, 60, 3599, 7500)] == [
        "1 s",
        "59 s",
        "1 min",
        "1 h 0 min",
        "2 h 5 min",
    ]


def test_a_step_that_takes_longer_than_a_line_is_heard_of_all_the_same() -> None:
    clock, text = Clock(), io.StringIO()
    lines = Lines(Console(file=text), clock)
    advance = lines.start("training", 3)
    for _ in range(4 * 60):  # a second each
        clock.now += 1
        lines.pulse()
    assert text.getvalue().splitlines() == [
        "training: 0 of 3, 20 s", "training: 0 of 3, 1 min", "training: 0 of 3, 2 min", "training: 0 of 3, 3 min"
    ]  # fmt: skip
    clock.now += 60
    advance()
    assert text.getvalue().splitlines()[-1] == "training: 1 of 3, 5 min, about 10 min left"


def test_silent_work_is_said_to_go_on() -> None:
    clock, text = Clock(), io.StringIO()
    lines = Lines(Console(file=text), clock)
    lines.start("epochs", 1)()
    for _ in range(150):
        clock.now += 1
        lines.pulse()
    assert text.getvalue().splitlines() == ["still at work, 1 min", "still at work, 2 min"]


def test_a_sentence_is_a_sign_of_life_too() -> None:
    clock, text = Clock(), io.StringIO()
    lines = Lines(Console(file=text), clock)
    clock.now = BETWEEN_LINES - 1
    lines.say("The report is written.")
    clock.now += BETWEEN_LINES - 1
    lines.pulse()
    assert text.getvalue() == "The report is written.\n"


def test_the_rest_is_reckoned_from_the_pace_since_the_line_before() -> None:
    """Cached clips pass at once; what is left of them says nothing of those that are still to be encoded."""
    clock, text = Clock(), io.StringIO()
    advance = Lines(Console(file=text), clock).start("audio", 1000)
    for _ in range(900):
        advance()
    for _ in range(50):
        clock.now += 2
        advance()
    assert text.getvalue().splitlines() == [
        "audio: 910 of 1000, 20 s, about 2 s left",  # of all so far
        "audio: 940 of 1000, 1 min, about 2 min left",  # 30 clips in 60 s
    ]


def test_a_stage_of_unknown_length_is_named_before_its_first_step() -> None:
    clock, text = Clock(), io.StringIO()
    lines = Lines(Console(file=text), clock)
    hear = lines.count("dialogs")
    clock.now = FIRST_LINE
    lines.pulse()
    clock.now += BETWEEN_LINES
    hear(2, 4)
    clock.now += BETWEEN_LINES
    hear(3, 4)
    assert text.getvalue().splitlines() == [
        "dialogs, 20 s",
        "dialogs: 2 of 4, 1 min",  # how many of them were done earlier is not known
        "dialogs: 3 of 4, 2 min, about 1 min left",
    ]


def test_the_log_of_a_real_run_gets_lines(tmp_path: Path) -> None:
    clock, text = Clock(), io.StringIO()

    def slow() -> float:
        clock.now += 25  # between any two looks at the clock
        return clock.now

    corpus = make_corpus(tmp_path, speakers=6, each=1)
    settings = {"epochs": 3, "protocol.by": "session", "protocol.validation": {"groups": 1}}
    lines = Lines(Console(file=text), slow)
    affuse.train(
        "voice-offline", corpus, tmp_path / "run", set=settings, cache=tmp_path / "cache", progress=lines
    )
    found = text.getvalue()
    assert re.search(rf"^audio \(logmel\): 1 of {len(corpus)}, 25 s, about \d+ min left$", found, re.M), found
    assert re.search(rf"^audio \(logmel\): {len(corpus)} of {len(corpus)}, \d+ min$", found, re.M), found
    assert re.search(r"^epochs: 3 of 3, \d+ min$", found, re.M), found


@pytest.mark.parametrize(
    ("widgets", "drawn"), [(True, Bars), (False, Lines)], ids=["with ipywidgets", "without"]
)
def test_a_notebook_gets_bars_where_they_can_be_drawn(
    monkeypatch: pytest.MonkeyPatch, widgets: bool, drawn: type
) -> None:
    class Drawing(Console):
        """A notebook's, which shows nothing here."""

        def __init__(self) -> None:
            super().__init__(file=io.StringIO())
            self.is_jupyter = True

    monkeypatch.setattr("affuse.progress.find_spec", lambda name: object() if widgets else None)
    monkeypatch.setattr("rich.live.Live.refresh", lambda live: None)  # what draws needs a browser
    with reporting(Drawing()) as progress:
        assert isinstance(progress, drawn)


def test_a_terminal_gets_bars_and_one_that_cannot_move_its_cursor_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with reporting(Console(file=io.StringIO(), force_terminal=True)) as progress:
        assert isinstance(progress, Bars)
        progress.start("epochs", 3)()
    monkeypatch.setenv("TERM", "dumb")
    with reporting(Console(file=io.StringIO(), force_terminal=True)) as progress:
        assert isinstance(progress, Lines)


def test_lines_pulse_beside_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    pulsed = threading.Event()
    monkeypatch.setattr(Lines, "pulse", lambda lines: pulsed.set())
    with reporting(Console(file=io.StringIO())):
        assert pulsed.wait(30)
    assert not [one for one in threading.enumerate() if "pulse" in one.name]

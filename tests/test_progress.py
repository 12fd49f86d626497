"""Long work reports: a line now and then in a log, each sentence once."""

from __future__ import annotations

import io

from rich.console import Console

from affuse.progress import BETWEEN_LINES, FIRST_LINE, Lines, in_words, reporting


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


def test_a_short_stage_prints_nothing():
    assert heard(10, FIRST_LINE / 20) == []


def test_a_log_gets_a_line_now_and_then_and_one_at_the_end():
    lines = heard(100, 10.0)
    assert lines[0] == "audio: 2 of 100, 20 s, about 16 min left"
    assert len(lines) == 1 + int((1000 - FIRST_LINE) // BETWEEN_LINES) + 1
    assert lines[-1] == "audio: 100 of 100, 17 min"


def test_what_is_left_counts_the_steps_of_this_time_only():
    assert heard(10, 30.0, done=990)[0] == "audio: 991 of 1000, 30 s, about 4 min left"  # 9 steps of 30 s


def test_no_terminal_gets_lines_and_each_sentence_once():
    text = io.StringIO()
    with reporting(Console(file=text)) as progress:
        assert isinstance(progress, Lines)
        progress.say("A split [of 5 folds].")
        progress.say("A split [of 5 folds].")
    assert text.getvalue() == "A split [of 5 folds].\n"


def test_seconds_in_words():
    assert [in_words(x) for x in (0.2, 59, 60, 3599, 7500)] == [
        "1 s",
        "59 s",
        "1 min",
        "1 h 0 min",
        "2 h 5 min",
    ]

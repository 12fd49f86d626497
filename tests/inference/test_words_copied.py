"""Words as people copy and convert them: times in plain text, Whisper's table through pandas, other recognisers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from affuse.errors import AffuseError
from affuse.inference.words import Cue, Word, fit, read_transcript

SAID = [Cue(0.0, 3.0, "I am happy"), Cue(3.0, 5.0, "this is bad"), Cue(5.0, 6.036, "good day")]


def _cues(folder: Path, name: str, text: str) -> list[Cue]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return fit(read_transcript(path), 16.0).cues


@pytest.mark.parametrize(
    "text",
    [
        "0:00\nI am happy\n0:03\nthis is bad\n0:05\ngood day\n",  # YouTube's, copied
        "00:00 I am happy\n00:03 this\nis bad\n\n00:05 good day",
        "(0:00) I am happy\n(0:03) ANNA: this is bad\n(0:05) good day",
        "[00:00:00 - 00:00:03] I am happy\n[00:00:03 - 00:00:05] this is bad\n[00:00:05] good day",
        "Speaker 1 (00:00):\nI am happy\n\nSpeaker 2 (00:03):\nthis is bad\n\nSpeaker 1 (00:05):\ngood day",
        "Anna Maria  0:00\nI am happy\n\nJosé  0:03\nthis is bad [laughs]\n\nAnna Maria  0:05\ngood day\n",
    ],
)
def test_times_in_plain_text_are_times_and_not_said(tmp_path: Path, text: str) -> None:
    assert _cues(tmp_path, "a.txt", text) == SAID


@pytest.mark.parametrize(
    "text",
    [
        "10:30 is early",
        "we meet at 10:30\nor at 11:30\n",
        "we meet at 10:30\nor so\nmaybe at 11:30\nthen\n",
        "11:30 is late\n10:30 is early\n",
        "1984 was bad\n2001 was good\n",
    ],
)
def test_times_that_are_said_are_words(tmp_path: Path, text: str) -> None:
    assert _cues(tmp_path, "a.txt", text) == [Cue(None, None, " ".join(text.split()))]


def test_whispers_table_with_the_numbers_that_pandas_writes_before_it(tmp_path: Path) -> None:
    rows = '\tstart\tend\ttext\n0\t500\t2000\tI am "so" happy\n1\t3000\t5000\tthis is bad\n'
    expected = [Cue(0.5, 2.0, 'I am "so" happy'), Cue(3.0, 5.0, "this is bad")]
    assert _cues(tmp_path, "a.tsv", rows) == expected


def test_words_called_text_keep_their_times(tmp_path: Path) -> None:
    words = [{"text": "I", "start": 0.5, "end": 0.8}, {"text": "am", "start": 0.9, "end": 1.2}]
    said = (Word(0.5, 0.8, "I"), Word(0.9, 1.2, "am"))
    flat = {"text": "I am", "words": words, "audio_duration": 16}
    assert _cues(tmp_path, "a.json", json.dumps(flat)) == [Cue(0.5, 1.2, "I am", said)]
    deep = {"text": " I am", "segments": [{"start": 0.4, "end": 1.5, "text": " I am", "words": words}]}
    assert _cues(tmp_path, "a.json", json.dumps(deep)) == [Cue(0.4, 1.5, "I am", said)]


@pytest.mark.parametrize(
    "more",
    [
        {"sentences": [{"text": "I am", "begin": 0.5, "end": 2.0}]},
        {"tokens": ["I", "am"], "timestamps": [0.5, 0.9]},
        {"utterances": [{"text": "I am", "start_time": 500, "end_time": 2000}]},
    ],
)
def test_a_recognisers_times_by_unknown_names_are_not_dropped(
    tmp_path: Path, more: dict[str, list[dict[str, Any] | float | str]]
) -> None:
    with pytest.raises(AffuseError, match=f"shape that affuse does not know .text, {next(iter(more))}"):
        _cues(tmp_path, "a.json", json.dumps({"text": "I am"} | more))


def test_a_text_without_times_beside_other_lists_is_read(tmp_path: Path) -> None:
    found = {"text": "I am", "segments": [], "logprobs": [{"token": "I", "logprob": -0.1}]}
    assert _cues(tmp_path, "a.json", json.dumps(found)) == [Cue(None, None, "I am")]

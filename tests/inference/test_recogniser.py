"""Words by a real recogniser, with their times."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from affuse.errors import AffuseError
from affuse.inference.recogniser import Recogniser, _pieces
from affuse.media.audio import read_waveform
from affuse.media.speech import RATE, Span, find_speech

SHARED = Path(__file__).parents[3] / "shared"
WHISPER = SHARED / "weights" / "whisper-tiny.en"
SPEECH = SHARED / "data" / "ravdess" / "audio"


def test_long_spans_are_heard_in_equal_parts() -> None:
    pieces = list(_pieces([Span(0, 10), Span(20, 80)]))
    assert pieces == [Span(0, 10), Span(20, 40), Span(40, 60), Span(60, 80)]


def test_what_is_no_recogniser_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(AffuseError, match="could not be loaded"):
        Recogniser(str(tmp_path))


@pytest.mark.skipif(
    not (WHISPER.is_dir() and SPEECH.is_dir()),
    reason="no Whisper or RAVDESS at ../shared/weights and ../shared/data",
)
def test_words_are_found_where_they_are_said(tmp_path: Path) -> None:
    first, second = (
        read_waveform(SPEECH / name, RATE)
        for name in ("03-01-01-01-01-01-01.flac", "03-01-01-01-02-01-01.flac")
    )
    gap = np.zeros(2 * RATE, np.float32)
    soundfile.write(tmp_path / "two.wav", np.concatenate([first, gap, second]), RATE)
    speech = find_speech([np.concatenate([first, gap, second])], RATE)
    words = Recogniser(str(WHISPER)).hear(tmp_path / "two.wav", None, speech)
    turn = (len(first) + RATE) / RATE
    said = [" ".join(w.text for w in words if (w.start < turn) == early).lower() for early in (True, False)]
    assert "kids are talking by the door" in said[0]
    assert "dogs are sitting by the door" in said[1]
    assert all(any(a - 1e-6 <= w.start <= w.end <= b + 1e-6 for a, b in speech) for w in words)

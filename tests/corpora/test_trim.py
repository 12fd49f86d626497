"""Clips cut to their speech."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affuse.corpora.corpus import Corpus
from affuse.corpora.schema import CorpusInfo
from affuse.corpora.trim import trim
from affuse.errors import AffuseError
from affuse.media.audio import read_waveform
from audio_files import write_sound
from voices import RATE, recording


def test_times_go_from_the_first_speech_to_the_last(tmp_path: Path) -> None:
    wave = recording(2.0, ("neu", 2.0), 3.0, ("ang", 2.0), 1.0)
    write_sound(tmp_path / "a.wav", wave, RATE)
    write_sound(tmp_path / "quiet.wav", 0.001 * np.ones(RATE, np.float32), RATE)
    (tmp_path / "f").mkdir()
    np.save(tmp_path / "f" / "x.npy", np.ones((2, 3)))
    rows = [
        {"id": "whole", "audio": "a.wav", "features_x": "f/x.npy#0"},
        {"id": "part", "audio": "a.wav", "start": 5.0, "end": 10.0}
        | {"video": "a.wav", "video_start": 105.0, "video_end": 110.0},
        {"id": "quiet", "audio": "quiet.wav"},
        {"id": "words", "text": "no sound"},
        {"id": "gone", "audio": "gone.wav"},
    ]  # fmt: skip
    corpus = Corpus(pd.DataFrame(rows), CorpusInfo(name="mine", media_root="."), tmp_path)
    found = trim(corpus).save(tmp_path / "out" / "trimmed")
    table = found.table.set_index("id")
    assert table.loc["whole", ["start", "end"]].tolist() == pytest.approx([2.0, 9.0], abs=0.5)
    start, end = table.loc["part", ["start", "end"]]
    assert [start, end] == pytest.approx([7.0, 9.0], abs=0.5)
    assert table.loc["part", ["video_start", "video_end"]].tolist() == pytest.approx([start + 100, end + 100])
    assert table.loc[["quiet", "words"], "start"].isna().all()
    note = found.info.notes[-1]
    assert "3 of 5 clips keep their times, 1 of them as they cannot be read; the first cause: " in note
    assert note.endswith("gone.wav does not exist; correct the path or the corpus's media_root")
    whole = next(u for u in Corpus.load(tmp_path / "out" / "trimmed").utterances() if u.id == "whole")
    assert len(read_waveform(whole.audio, RATE, whole.start, whole.end)) < len(wave)
    assert whole.features["x"] == str(tmp_path / "f" / "x.npy#0")


def test_a_corpus_of_words_has_nothing_to_trim() -> None:
    corpus = Corpus(pd.DataFrame([{"id": "a", "text": "b"}]), CorpusInfo(name="words"))
    with pytest.raises(AffuseError, match="words has no sound"):
        trim(corpus)

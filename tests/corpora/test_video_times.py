"""A video with a clock of its own: the columns video_start and video_end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from affuse.corpora.corpus import Corpus, Utterance
from affuse.corpora.schema import CorpusInfo


@pytest.mark.parametrize(
    ("times", "video"),
    [
        ({"start": 1.0, "end": 2.0}, (1.0, 2.0)),
        ({"video_start": 5.0, "video_end": 6.0}, (5.0, 6.0)),
        ({"start": 1.0, "end": 2.0, "video_start": 5.0, "video_end": 6.0}, (5.0, 6.0)),
        ({"end": 2.0, "video_start": 5.0}, (5.0, None)),  # the sound's end means nothing on the video's clock
        ({"end": 2.0, "video_end": 6.0}, (None, 6.0)),
        ({}, (None, None)),
    ],
)
def test_the_videos_own_times_win_as_a_pair(times: dict[str, Any], video: tuple[Any, ...]) -> None:
    utterance = Utterance("u", **times)
    assert utterance.span("video") == video
    assert utterance.span("audio") == (times.get("start"), times.get("end"))


def test_the_times_live_in_the_corpus_folder(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"id": ["a", "b"], "video": "v.avi", "video_start": [1.5, None], "video_end": ["2.5", None]}
    )
    Corpus(table, CorpusInfo(name="x")).save(tmp_path)
    first, second = Corpus.load(tmp_path).utterances()
    assert first.span("video") == (1.5, 2.5)
    assert second.span("video") == (None, None)

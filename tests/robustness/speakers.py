"""Few and unknown speakers: the lines of docs/robustness.md on intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import soundfile

from affuse.corpora.corpus import Corpus
from affuse.corpora.schema import CorpusInfo
from robustness.situations import Command, Place, situation


def measured(place: Place, speakers: list[str | None]) -> Command:
    """A clip per speaker given, angry and neutral in turn; intervals that hold their values."""
    labels = [("anger", "neutral")[i // 2 % 2] for i in range(len(speakers))]
    for i in range(len(speakers)):
        wave = 0.1 * np.sin(np.arange(8000) * (0.05 + 0.01 * i))
        soundfile.write(place.folder / f"{i}.wav", wave, 16_000)
    ids = [f"u{i}" for i in range(len(speakers))]
    table = pd.DataFrame(
        {"id": ids, "audio": [f"{i}.wav" for i in range(len(ids))], "speaker": speakers, "emotion": labels}
    )
    info = CorpusInfo(
        name="few", media_root=str(place.folder), label_spaces={"emotion": ["anger", "neutral"]}
    )
    Corpus(table, info).save(place.folder / "few")

    def holds(place: Place) -> None:
        found = pd.read_csv(place.out / "metrics.csv").set_index("metric").loc[["acc", "bacc"]]
        known = found.dropna(subset=["low"])
        assert len(known) == (0 if len(set(speakers)) == 1 else 2)
        assert (known["low"] <= known["value"]).all()
        assert (known["value"] <= known["high"]).all()
        assert (known["high"] - known["low"] > 0.3).all()

    return Command(["evaluate", place.model, "few", "--out", place.out, "--device", "cpu"], holds)


@situation("intervals-two-speakers")
def _two(place: Place) -> Command:
    return measured(place, ["a", "b"] * 4)


@situation("intervals-one-speaker")
def _one(place: Place) -> Command:
    return measured(place, ["a"] * 8)


@situation("intervals-unknown-speakers")
def _unknown(place: Place) -> Command:
    return measured(place, [*"abcde", None, None, None])

"""Confidence and verdicts: the lines of docs/robustness.md on comparisons."""

from __future__ import annotations

import pandas as pd

from robustness.situations import Command, Place, situation
from small_corpus import make_corpus


@situation("verdict-of-networks-that-did-not-train")
def _untrained(place: Place) -> Command:
    make_corpus(place.folder, speakers=3, each=2)
    words = [
        "compare",
        "server",
        place.folder / "corpus",
        "--out",
        place.out,
        "--cache",
        place.folder / "cache",
    ]
    words += ["--jobs", "1", "--set", "modalities.text=null", "--set", "modalities.audio.encoder=logmel"]
    words += ["--set", "head.dropout=0", "--set", "epochs=5", "--set", "protocol.by=session"]
    words += ["--set", "protocol.validation={groups: 1}", "--over", "optimizer.lr=1e-9,1e-8"]
    return Command(words, _not_judged)


def _not_judged(place: Place) -> None:
    table = pd.read_csv(place.out / "paired_tests.csv")
    assert set(table["verdict"]) == {"not judged"}
    assert table["bacc_p_holm"].isna().all()

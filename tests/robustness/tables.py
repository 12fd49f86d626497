"""Tables: the lines of docs/robustness.md on them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from affuse.corpora.corpus import Corpus
from audio_files import speechlike, write_sound
from robustness.situations import Command, Place, situation
from voices import RATE, recording


def prepare(
    place: Place, content: str | bytes, name: str = "mine.csv", check: Callable[..., Any] = lambda place: None
) -> Command:
    """``prepare csv`` of such a table."""
    data = content if isinstance(content, bytes) else content.encode()
    (place.folder / name).write_bytes(data)
    return Command(["prepare", "csv", name, place.out], check)


def predict(place: Place, content: str, check: Callable[..., Any] = lambda place: None) -> Command:
    """``predict`` of such a table of clips, beside which lies ``talk.wav``, 3.5 s, both channels with another voice."""
    voices = [recording(0.5, (label, 2.5), 0.5) for label in ("neu", "sad")]
    write_sound(place.folder / "talk.wav", np.stack(voices, axis=1), RATE)
    (place.folder / "clips.csv").write_text(content)
    return Command(["predict", place.model, "clips.csv", "--no-vad", "--jobs", 1, "--out", place.out], check)


def has(**columns: list[str]):
    """A check that the corpus has these columns."""

    def check(place: Place) -> None:
        table = Corpus.load(place.out).table
        assert {name: table[name].fillna("").tolist() for name in columns} == columns

    return check


@situation("table-votes")
def _votes(place: Place) -> Command:
    content = "text,votes_anger,votes_joy\nyes,,3\nno,2,1\nwell,1,1\n"
    return prepare(place, content, check=has(emotion=["joy", "anger", ""]))


@situation("table-no-votes")
def _half_a_vote(place: Place) -> Command:
    return prepare(place, "text,votes_anger,votes_joy\nyes,0,3\nno,2,1.5\n")


@situation("table-nobody-voted")
def _nobody(place: Place) -> Command:
    return prepare(place, "text,votes_anger,votes_joy\nyes,0,0\nno,0,0\n")


@situation("table-two-names-for-a-column")
def _twice(place: Place) -> Command:
    return prepare(place, "audio,emotion,emotion\na.wav,anger,anger\n")


@situation("table-bare-commas")
def _commas(place: Place) -> Command:
    return prepare(place, "id,text,emotion,speaker\nx1,yes,joy,a\nx2,well, yes,joy,a\n")


@situation("table-clips-bare-commas")
def _clip_commas(place: Place) -> Command:
    return predict(place, "path,text\ntalk.wav,well, yes\n")


@situation("table-commas-at-the-ends")
def _ends(place: Place) -> Command:
    return prepare(place, "id,text,\nx1,yes,\nx2,no,,,\n", check=has(id=["x1", "x2"], text=["yes", "no"]))


@situation("table-fewer-cells")
def _fewer(place: Place) -> Command:
    return prepare(place, "id,speaker,text\nx1,yes\n")


@situation("table-quote-not-closed")
def _quote(place: Place) -> Command:
    return prepare(place, 'id,text\nx1,"yes\nx2,no\n')


@situation("table-swallowed-rows")
def _swallowed(place: Place) -> Command:
    return prepare(place, 'id,text,emotion\nx1,"a,anger\nx2,b,anger\nx3,said",anger\n')


@situation("table-long-cell")
def _long(place: Place) -> Command:
    return prepare(place, f"id,text\nx1,{'a' * 200_000}\n", check=has(text=["a" * 200_000]))


@situation("table-of-excel")
def _excel(place: Place) -> Command:
    text = "sep=;\rid;text\r01;schön, ja\rNA;null\r"
    return prepare(place, text.encode("utf-16"), check=has(id=["01", "NA"], text=["schön, ja", "null"]))


@situation("table-gzipped")
def _gzipped(place: Place) -> Command:
    return prepare(place, gzip.compress(b"id,text\nx1,yes\n"), "mine.csv.gz", has(text=["yes"]))


@situation("table-zero-bytes")
def _zero(place: Place) -> Command:
    return prepare(place, "id,text\nx1,a\0b\n")


@situation("table-spreadsheet")
def _spreadsheet(place: Place) -> Command:
    return prepare(place, b"PK\x03\x04", "mine.xlsx")


@situation("table-of-the-hub")
def _hub(place: Place) -> Command:
    audio = [{"bytes": b"\1" * 400_000, "path": "a.wav"}]
    pd.DataFrame({"audio": audio, "emotion": ["joy"]}).to_parquet(place.folder / "mine.parquet")
    return Command(["prepare", "csv", "mine.parquet", place.out])


@situation("table-clip-ranges")
def _ranges(place: Place) -> Command:
    def check(place: Place) -> None:
        found = {path.stem: json.loads(path.read_text()) for path in sorted(place.out.glob("*.json"))}
        assert list(found) == ["talk_0.5-2", "talk_0.5-2.wav", "talk_2-end"]
        assert [(one["start"], one["seconds"]) for one in found.values()] == [
            (0.5, 1.5),
            (0.5, 1.5),
            (2.0, 1.5),
        ]
        for one in found.values():
            assert one["segments"][0]["start"] == one["start"]
            assert one["segments"][-1]["end"] == one["start"] + one["seconds"]
        first, second, _ = (one["segments"][0]["emotion"]["probabilities"] for one in found.values())
        assert first != second, "each row is of its own channel"

    return predict(
        place, "path,start,end,channel\ntalk.wav,0.5,2,0\ntalk.wav,0.5,2,1\ntalk.wav,2,,0\n", check
    )


@situation("table-clip-range-outside")
def _outside(place: Place) -> Command:
    return predict(place, "path,start,end\ntalk.wav,9,10\ntalk.wav,1,2\n")


@situation("table-clip-range-inverted")
def _inverted(place: Place) -> Command:
    wave = speechlike(4, 16_000)
    opposite = np.stack([wave, 0.02 * speechlike(4, 16_000, 1) - wave], axis=1)
    write_sound(place.folder / "call.wav", opposite, 16_000)
    return predict(place, "path,start,end\ncall.wav,1,3\n")


@situation("table-clip-range-backward")
def _backward(place: Place) -> Command:
    return predict(place, "path,start,end\ntalk.wav,2,1\ntalk.wav,1,2\n")


@situation("table-clip-no-number")
def _no_number(place: Place) -> Command:
    return predict(place, "path,start\ntalk.wav,0:30\n")


@situation("table-clip-other-columns")
def _other_columns(place: Place) -> Command:
    return predict(place, "path,features_face,emotion\ntalk.wav,a.npy,joy\n")


@situation("table-track")
def _track(place: Place) -> Command:
    (place.folder / "mine.csv").write_text("audio,emotion,track\na.wav,anger,0.5\n")
    return Command(["prepare", "csv", "mine.csv", place.out])


URI = f"data:audio/wav;base64,{'A' * 100_000}"


@situation("table-path-of-bytes")
def _bytes(place: Place) -> Command:
    return predict(place, f'path\n"{URI}"\n')


@situation("table-path-of-bytes-in-a-corpus")
def _corpus_bytes(place: Place) -> Command:
    return prepare(place, f'audio,emotion\n"{URI}",joy\n')

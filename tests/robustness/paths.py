"""Paths and names: the lines of docs/robustness.md on them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from robustness.situations import Command, Place, situation
from robustness.sound import speech


def _predicted(*names: str):
    """The clips whose timelines are in the out folder, and no others."""

    def check(place: Place) -> None:
        found = sorted(path.relative_to(place.out).as_posix() for path in place.out.rglob("*.json"))
        assert found == sorted(names)
        for name in names:
            assert json.loads((place.out / name).read_text(encoding="utf-8"))["segments"]

    return check


def _folder(place: Place, check: Callable[..., Any]) -> Command:
    return Command(["predict", place.model, "clips", "--out", place.out, "--jobs", 1], check)


def _clips(place: Place, *names: str) -> None:
    (place.folder / "clips").mkdir()
    for name in names:
        (place.folder / "clips" / name).parent.mkdir(parents=True, exist_ok=True)
        speech(place).rename(place.folder / "clips" / name)


@situation("name-latin-1")
def _latin(place: Place) -> Command:
    name = os.fsdecode(b"caf\xe9")
    _clips(place, f"{name}.wav", "later.wav")

    def check(place: Place) -> None:
        _predicted(f"{name}.json", "later.json")(place)
        assert json.loads((place.out / f"{name}.json").read_text())["clip"] == "clips/caf\\xe9.wav"

    return _folder(place, check)


@situation("name-latin-1-in-a-table")
def _latin_table(place: Place) -> Command:
    _clips(place, os.fsdecode(b"caf\xe9.wav"))
    (place.folder / "list.csv").write_text("path\nclips/caf\\xe9.wav\n")
    return Command(
        ["predict", place.model, "list.csv", "--out", place.out], _predicted(os.fsdecode(b"caf\xe9.json"))
    )


@situation("name-odd")
def _odd(place: Place) -> Command:
    names = ["two\nlines", 'tab\tand "quotes"', "100 %03d", "-dash", "blank "]
    _clips(place, *(f"{name}.wav" for name in names))
    return _folder(place, _predicted(*(f"{name}.json" for name in names)))


@situation("name-long")
def _long(place: Place) -> Command:
    name = "é" * 120 + "1234567"
    _clips(place, f"{name}.wav", f"{name[:-1]}8.wav")

    def check(place: Place) -> None:
        assert len(list(place.out.glob("ééé*.json"))) == 2

    return _folder(place, check)


@situation("name-nearly-long")
def _nearly(place: Place) -> Command:
    _clips(place, "a" * 240 + ".wav")
    return _folder(place, _predicted("a" * 240 + ".json"))


@situation("names-that-differ-in-case")
def _case(place: Place) -> Command:
    _clips(place, "Talk.wav", "talk.wav")
    return _folder(place, _predicted("Talk.json", "talk.wav.json"))


@situation("folder-of-a-mac")
def _mac(place: Place) -> Command:
    _clips(place, "a.wav", "__MACOSX/a.wav", ".Trash-1000/files/b.wav", "$RECYCLE.BIN/c.wav", ".hidden.wav")
    (place.folder / "clips" / "._a.wav").write_bytes(b"\0\5\x16\7")
    return _folder(place, _predicted("a.json"))


@situation("folder-of-a-web-project")
def _web(place: Place) -> Command:
    _clips(place, "a.wav")
    (place.folder / "clips" / "app.ts").write_text("export const GREETING = 'Good day';\n" * 20)
    return _folder(place, _predicted("a.json"))


@situation("hidden-file-named")
def _hidden(place: Place) -> Command:
    _clips(place, ".hidden.wav")
    return Command(
        ["predict", place.model, "clips/.hidden.wav", "--out", place.out], _predicted(".hidden.json")
    )


@situation("folder-that-is-a-link")
def _links(place: Place) -> Command:
    _clips(place, "a.wav")
    (place.folder / "store").mkdir()
    speech(place).rename(place.folder / "store" / "b.wav")
    (place.folder / "clips" / "day").symlink_to(place.folder / "store")
    (place.folder / "clips" / "same").symlink_to(place.folder / "store")
    (place.folder / "clips" / "day" / "loop").symlink_to(place.folder / "clips")
    (place.folder / "clips" / "again.wav").symlink_to("a.wav")
    return _folder(place, _predicted("a.json", "day/b.json"))


@situation("link-without-a-file")
def _broken(place: Place) -> Command:
    _clips(place, "a.wav")
    (place.folder / "clips" / "b.wav").symlink_to("annex/b.wav")
    return _folder(place, _predicted("a.json"))


@situation("features-below-a-number-sign")
def _number_sign(place: Place) -> Command:
    from affuse.corpora.readers.table import prepare

    features = place.folder / "Speech #2"
    features.mkdir()
    np.save(features / "one.npy", np.ones((2, 3), np.float32))
    np.savez(features / "many.npz", key=np.ones((2, 3), np.float32))
    (place.folder / "mine.csv").write_text(
        "id,emotion,features_face\n"
        "a,anger,Speech #2/one.npy\nb,anger,Speech #2/one.npy#1\n"
        "c,sadness,Speech #2/many.npz#key\nd,sadness,Speech #2/many.npz#key#0\n"
    )
    prepare(place.folder / "mine.csv", place.folder / "corpus")

    def check(place: Place) -> None:
        from affuse.corpora.corpus import Corpus
        from affuse.encoders.precomputed import read_array

        rows = [one.features["face"] for one in Corpus.load(place.folder / "corpus").utterances()]
        assert [read_array(row).shape for row in rows] == [(2, 3), (1, 3), (2, 3), (1, 3)]

    return Command(["validate", "corpus"], check)

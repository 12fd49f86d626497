"""Paths and names: the lines of docs/robustness.md on them."""

from __future__ import annotations

import unicodedata

from affuse.corpora.corpus import Corpus
from audio_files import sine, write_track
from corpus_files import write_tone
from robustness.situations import Command, Place, situation
from robustness.tables import has, prepare
from voices import RATE


@situation("name-two-forms")
def _forms(place: Place) -> Command:
    names = [unicodedata.normalize(form, "José") for form in ("NFC", "NFD")]
    rows = "".join(f"x{i},hello,{name}\n" for i, name in enumerate(names))
    return prepare(place, f"id,text,speaker\n{rows}", check=has(speaker=["José", "José"]))


@situation("name-in-two-cases")
def _cases(place: Place) -> Command:
    return prepare(place, "id,text,speaker\nx1,a,Anna\nx2,b,anna\nx3,c,Anna\n")


@situation("name-like-nothing")
def _nothing(place: Place) -> Command:
    check = has(emotion=["nan", "NA", ""])
    return prepare(place, "id,text,emotion\nx1,a,nan\nx2,b,NA\nx3,c,\n", check=check)


@situation("name-of-a-file-in-another-form")
def _form_on_disk(place: Place) -> Command:
    here = unicodedata.normalize("NFD", "José.wav")
    write_tone(place.folder / here)

    def check(place: Place) -> None:
        assert [one.audio for one in Corpus.load(place.out).utterances()] == [place.folder / here]

    return prepare(place, "id,audio\nx1,José.wav\n", check=check)


def predict(place: Place, *names: str) -> Command:
    """The clips by their bare names, from the folder they are in."""
    for name in names:
        write_track(place.folder / "made.mp3", sine(1, RATE), RATE, "libmp3lame").rename(place.folder / name)
    return Command(["predict", place.model, *names, "--no-vad", "--out", place.out])


@situation("name-with-colons")
def _colons(place: Place) -> Command:
    return predict(place, "2026-11-26T09:15:00.mp3")


@situation("name-like-a-protocol")
def _protocol(place: Place) -> Command:
    return predict(place, "http:talk.mp3", "concat:a.mp3")

"""Words: the lines of docs/robustness.md on them."""

from __future__ import annotations

import json

from robustness.situations import Command, Place, situation
from robustness.sound import speech

_SRT = "1\n00:00:00,500 --> 00:00:01,500\nhello\n\n2\n00:00:02 --> 00:00:03\nyou\n"


def _predicted(place: Place, name: str, text: str, said: str | None, *more: object) -> Command:
    """The clip predicted with the file of words ``name``, and the words that its timeline is to have."""
    speech(place)
    (place.folder / name).write_text(text, encoding="utf-8")

    def check(place: Place) -> None:
        told = json.loads((place.out / "good.json").read_text(encoding="utf-8"))
        assert " ".join(one["text"] for one in told["segments"]).split() == (said or "").split()

    words = ["predict", place.model, "good.wav", "--text", name, "--out", place.out, *more]
    return Command(words) if said is None else Command(words, check)


@situation("words-milliseconds")
def _milliseconds(place: Place) -> Command:
    rows = 'start\tend\ttext\n500\t1500\t"Hello," she said\n2000\t3000\tgood day\n'
    return _predicted(place, "good.tsv", rows, '"Hello," she said good day')


@situation("words-milliseconds-elsewhere")
def _json_milliseconds(place: Place) -> Command:
    return _predicted(place, "a.json", '[{"start": 500, "end": 3000, "text": "good day"}]', None)


@situation("words-recogniser")
def _recogniser(place: Place) -> Command:
    words = [{"word": " good", "start": 0.6, "end": 1.0}, {"word": " day", "start": 1.0, "end": 1.4}]
    segments = [{"start": 0.5, "end": 1.5, "text": " good day", "words": words}]
    return _predicted(place, "good.json", json.dumps({"segments": segments}), "good day")


@situation("words-copied-with-times")
def _copied(place: Place) -> Command:
    return _predicted(place, "a.txt", "0:00\ngood day\n0:02\nto you\n", "good day to you")


@situation("words-pandas")
def _pandas(place: Place) -> Command:
    rows = "\tstart\tend\ttext\n0\t500\t1500\thello\n1\t2000\t3000\tgood day\n"
    return _predicted(place, "a.tsv", rows, "hello good day")


@situation("words-recogniser-of-another-shape")
def _other_shape(place: Place) -> Command:
    sentences = [{"text": "good day", "startTime": 0.5, "endTime": 1.5}]
    return _predicted(place, "a.json", json.dumps({"text": "good day", "sentences": sentences}), None)


@situation("words-no-blank-lines")
def _no_blank_lines(place: Place) -> Command:
    return _predicted(place, "a.srt", _SRT.replace("\n\n", "\n"), "hello you")


@situation("words-rolling")
def _rolling(place: Place) -> Command:
    cues = [
        "00:00:00.500 --> 00:00:01.500\n \nhello<00:00:00.800><c> you</c>",
        "00:00:01.500 --> 00:00:01.510\nhello you\n ",
        "00:00:01.510 --> 00:00:02.900\nhello you\nand<00:00:02.000><c> me</c>",
    ]
    return _predicted(place, "a.vtt", "WEBVTT\n\n" + "\n\n".join(cues) + "\n", "hello you and me")


@situation("words-other-format")
def _other(place: Place) -> Command:
    return _predicted(place, "a.eaf", "<ANNOTATION_DOCUMENT/>", None)


@situation("words-times-by-other-names")
def _names(place: Place) -> Command:
    return _predicted(place, "a.csv", "begin,finish,text\n0.5,1.5,hello\n", None)


@situation("words-far-beyond")
def _beyond(place: Place) -> Command:
    text = "1\n00:00:00,500 --> 00:01:00,000\na text that belongs to a clip of a minute, not to this one\n"
    return _predicted(place, "a.srt", text, "a text that belongs to a clip of a minute, not to this one")


@situation("words-folder")
def _folder(place: Place) -> Command:
    (place.folder / "w").mkdir()
    (place.folder / "w" / "good.txt").write_text("what was noted down")
    (place.folder / "w" / "._good.wav.srt").write_bytes(b"\0")
    return _predicted(place, "w/Good.WAV.en.SRT", _SRT, "what was noted down")._replace(
        words=["predict", place.model, "good.wav", "--text", "w", "--out", place.out]
    )


@situation("words-folder-of-others")
def _others(place: Place) -> Command:
    (place.folder / "w").mkdir()
    return _predicted(place, "w/b.srt", _SRT, None)._replace(
        words=["predict", place.model, "good.wav", "--text", "w", "--out", place.out]
    )


@situation("words-one-file-for-all")
def _one_for_all(place: Place) -> Command:
    speech(place, "b.wav")
    return _predicted(place, "a.srt", _SRT, "hello you", "b.wav", "--jobs", 1)


@situation("words-mathematics")
def _mathematics(place: Place) -> Command:
    (place.folder / "a.txt").write_text("it was $5 or $6_{ ^ \\frac 😀 你好", encoding="utf-8")
    clip = speech(place, "$a_$^.wav")
    return Command(["predict", place.model, clip.name, "--text", "a.txt", "--plot", "--out", place.out])

"""Outputs: the lines of docs/robustness.md on them."""

from __future__ import annotations

from corpus_files import write_tone
from robustness.situations import Command, Place, situation
from robustness.sound import speech

CUE = "1\n00:00:00,500 --> 00:00:02,500\ngood day\n"


def _corpus(place: Place) -> None:
    """A corpus folder made from the table mine.csv, in ``corpus``."""
    from affuse.corpora.readers.table import prepare

    write_tone(place.folder / "a.wav")
    (place.folder / "mine.csv").write_text("audio,emotion\na.wav,anger\n")
    prepare(place.folder / "mine.csv", place.folder / "corpus")


@situation("output-is-input")
def _input(place: Place) -> Command:
    speech(place, "talk.wav")
    (place.folder / "talk.srt").write_text(CUE)
    return Command(
        [
            "predict",
            place.model,
            "talk.wav",
            "--text",
            "talk.srt",
            "--format",
            "srt",
            "--out",
            ".",
            "--overwrite",
        ]
    )


@situation("output-through-a-link")
def _linked(place: Place) -> Command:
    speech(place, "talk.wav")
    (place.folder / "talk.srt").write_text(CUE)
    (place.folder / "here").symlink_to(".")
    return Command(
        ["predict", place.model, "talk.wav", "--text", "talk.srt", "--format", "srt", "--out", "here"]
    )


@situation("output-a-file")
def _file(place: Place) -> Command:
    def check(place: Place) -> None:
        assert (place.folder / "talk.srt").read_text().startswith("1\n00:00:0")

    return Command(["predict", place.model, speech(place), "--out", "talk.srt"], check)


@situation("output-a-file-for-several")
def _several(place: Place) -> Command:
    return Command(["predict", place.model, speech(place), "gone.wav", "--out", "talk.srt"])


@situation("output-a-file-of-another-format")
def _contradiction(place: Place) -> Command:
    return Command(["predict", place.model, speech(place), "--out", "talk.srt", "--format", "json"])


@situation("output-unknown-ending")
def _ending(place: Place) -> Command:
    return Command(["predict", place.model, speech(place), "--out", "talk.xyz"])


@situation("output-foreign")
def _foreign(place: Place) -> Command:
    speech(place)
    (place.folder / "good.json").write_text('{"mine": true}')
    return Command(["predict", place.model, "good.wav", "--out", "."])


@situation("output-foreign-picture")
def _picture(place: Place) -> Command:
    speech(place)
    (place.folder / "good.png").write_bytes(b"a cover")
    return Command(["predict", place.model, "good.wav", "--plot", "--out", "."])


@situation("output-foreign-skipped")
def _skipped(place: Place) -> Command:
    speech(place)
    (place.folder / "skipped.csv").write_text("mine\n")
    return Command(["predict", place.model, "good.wav", "gone.wav", "--out", "."])


@situation("output-overwrite")
def _overwrite(place: Place) -> Command:
    speech(place)
    (place.folder / "good.csv").write_text("mine\n")

    def check(place: Place) -> None:
        assert (place.folder / "good.csv").read_text().startswith("clip,")

    return Command(
        ["predict", place.model, "good.wav", "--format", "csv", "--out", ".", "--overwrite"], check
    )


@situation("output-skipped-is-a-clip")
def _named_skipped(place: Place) -> Command:
    speech(place, "skipped.wav")

    def check(place: Place) -> None:
        assert (place.out / "skipped.wav.csv").is_file()
        assert (place.out / "skipped.csv").read_text().startswith("clip,cause")

    return Command(
        ["predict", place.model, "skipped.wav", "gone.wav", "--format", "csv", "--out", place.out], check
    )


@situation("export-over-a-file")
def _export(place: Place) -> Command:
    (place.folder / "model.onnx").write_bytes(b"another network")
    return Command(["export", place.model, "model.onnx"])


@situation("evaluate-into-a-run")
def _evaluate(place: Place) -> Command:
    (place.folder / "run").mkdir()
    (place.folder / "run" / "predictions.csv").write_text("id\n")
    (place.folder / "corpus").mkdir()
    for name in ("corpus.yaml", "utterances.parquet"):  # refused before either is read
        (place.folder / "corpus" / name).touch()
    return Command(["evaluate", place.model, "corpus", "--out", "run"])


@situation("prepare-over-its-source")
def _source(place: Place) -> Command:
    import pandas as pd

    write_tone(place.folder / "a.wav")
    pd.DataFrame({"audio": ["a.wav"], "emotion": ["anger"]}).to_parquet(place.folder / "utterances.parquet")
    return Command(["prepare", "csv", "./utterances.parquet", ".", "--overwrite"])


@situation("prepare-over-an-edited-corpus")
def _edited(place: Place) -> Command:
    _corpus(place)
    info = place.folder / "corpus" / "corpus.yaml"
    info.write_text(info.read_text().replace("licence: ''", "licence: mine"))
    return Command(["prepare", "csv", "mine.csv", "corpus"])


@situation("prepare-again")
def _again(place: Place) -> Command:
    _corpus(place)
    (place.folder / "mine.csv").write_text("audio,emotion\na.wav,sadness\n")
    return Command(["prepare", "csv", "mine.csv", "corpus"])


@situation("compare-into-a-foreign-folder")
def _compare(place: Place) -> Command:
    _corpus(place)
    return Command(["compare", "3m-ser", "corpus", "--out", "."])

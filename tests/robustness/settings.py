"""Settings: the lines of docs/robustness.md on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from affuse.corpora.corpus import Corpus
from affuse.files import read_csv
from robustness.situations import Command, Place, situation
from robustness.tables import has
from small_corpus import make_corpus


@situation("settings-null-and-a-number")
def _null(place: Place) -> Command:
    make_corpus(place.folder, speakers=3, each=1)
    small = [
        "modalities.text=null", "modalities.audio.encoder=logmel", "modalities.audio.options.bands=8", "epochs=1",
        "protocol.kind=group_k_fold", "protocol.folds=3", "protocol.validation.fraction=0.4",
    ]  # fmt: skip
    changes = [word for setting in small for word in ("--set", setting)]

    def check(place: Place) -> None:
        results = read_csv(place.out / "results.csv", ["value"])
        # the baseline has no patience
        assert list(dict.fromkeys(results["training.patience"])) == ["null", "2", "-"]
        assert (place.out / "report.html").is_file()

    words = [
        "compare",
        "server",
        "corpus",
        "--out",
        place.out,
        "--over",
        "training.patience=null,2",
        "--jobs",
        1,
    ]
    return Command([*words, "--over", "fold=0", "--cache", place.folder / "cache", *changes], check)


@situation("recipe-not-stacked")
def _not_stacked(place: Place) -> Command:
    make_corpus(place.folder, speakers=3, each=1)
    small = [
        "modalities.text=null", "modalities.audio.encoder=logmel", "modalities.audio.options.bands=8", "epochs=1",
        "protocol.kind=group_k_fold", "protocol.folds=3", "protocol.validation.fraction=0.4", "tasks.gender={}",
        "weighting=gradnorm",
    ]  # fmt: skip
    changes = [word for setting in small for word in ("--set", setting)]
    words = ["train", "server", "corpus", "--out", place.out, "--cache", place.folder / "cache", "--verbose"]
    return Command([*words, *changes])


def _learn(place: Place, task: str) -> Command:
    found = make_corpus(place.folder, speakers=3, each=1)
    moods = found.table["emotion"].map(
        {"anger": "angry;tense", "sadness": "sad;angry", "neutral": "sad;tennse"}
    )
    Corpus(found.table.assign(moods=moods, valence=3.0), found.info).save(found.folder or place.folder)
    return Command(["train", "voice-offline", "corpus", "--out", place.out, "--set", f"tasks={{{task}}}"])


@situation("several-labels-misspelt")
def _misspelt(place: Place) -> Command:
    return _learn(place, "moods: {kind: multilabel, classes: [angry, sad, tense, joy]}")


@situation("several-labels-of-numbers")
def _of_numbers(place: Place) -> Command:
    return _learn(place, "valence: {kind: multilabel}")


@situation("votes-of-nobody")
def _of_nobody(place: Place) -> Command:
    return _learn(place, "emotion: {target: distribution}")


def _options(place: Place, options: str, check: Callable[..., Any] = lambda place: None) -> Command:
    (place.folder / "mine.csv").write_text("id,text,emotion\nx1,a,01\nx2,b,yes\nx3,c,null\n")
    (place.folder / "options.yaml").write_text(options)
    return Command(["prepare", "csv", "mine.csv", place.out, "--options", "options.yaml"], check)


@situation("settings-label-keys")
def _labels(place: Place) -> Command:
    labels = "labels: {emotion: {01: no, yes: 1.50, null: on}}\nlanguage: no\n"
    return _options(place, labels, has(emotion=["no", "1.50", "on"]))


@situation("settings-one-key-twice")
def _twice(place: Place) -> Command:
    return _options(place, "name: a\nname: b\n")


def _recipe(place: Place, text: str) -> Command:
    (place.folder / "mine.yaml").write_text(text)
    return Command(["train", "mine.yaml", "corpus", "--out", place.out])


@situation("settings-two-documents")
def _documents(place: Place) -> Command:
    return _recipe(place, "name: a\n---\nname: b\n")


@situation("settings-tabs")
def _tabs(place: Place) -> Command:
    return _recipe(place, "name: a\nmodalities:\n\taudio: {encoder: logmel}\n")


@situation("settings-option-twice")
def _option_twice(place: Place) -> Command:
    return Command(["predict", place.model, "talk.wav", "--format", "json", "--format", "csv"])


@situation("settings-fold-twice")
def _fold_twice(place: Place) -> Command:
    make_corpus(place.folder, speakers=3, each=1)
    small = [
        "modalities.text=null", "modalities.audio.encoder=logmel", "modalities.audio.options.bands=8", "epochs=1",
        "protocol.kind=group_k_fold", "protocol.folds=3", "protocol.validation.fraction=0.4",
    ]  # fmt: skip
    changes = [word for setting in small for word in ("--set", setting)]
    words = ["compare", "server", "corpus", "--out", place.out, "--fold", "0", "--fold", "1", "--no-baseline"]
    return Command([*words, "--jobs", 1, "--cache", place.folder / "cache", *changes])

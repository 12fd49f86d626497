"""Confidence and what is measured: the lines of docs/robustness.md on them."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.corpora.schema import CorpusInfo
from affuse.models.index import read_index, write_index
from affuse.models.loading import load_model
from affuse.models.saving import save_model
from affuse.training.seen import remember
from audio_files import write_sound
from rated_models import VALENCE, rated_model
from robustness.situations import Command, Place, situation
from voices import RATE, recording


def speech(place: Place) -> Path:
    return write_sound(place.folder / "good.wav", recording(0.5, ("neu", 2.5), 0.5), RATE)


def corpus_of(place: Place, *labels: str) -> Corpus:
    """An utterance per label, each with sound and a speaker of its own."""
    rows = []
    for i, label in enumerate(labels):
        write_sound(place.folder / f"u{i}.wav", recording(("neu", 0.6), seed=i), RATE)
        rows.append({"id": f"u{i}", "audio": f"u{i}.wav", "speaker": f"s{i}", "emotion": label})
    spaces = {"emotion": sorted(set(labels))}
    info = CorpusInfo(name="mine", media_root=str(place.folder), label_spaces=spaces)
    return Corpus(pd.DataFrame(rows), info).save(place.folder / "corpus")


def measure(place: Place, model: Path | None = None) -> Command:
    cache = place.folder.parent / "cache"
    return Command(["evaluate", model or place.model, "corpus", "--cache", cache, "--out", place.out])


@situation("confidence-without-validation")
def _uncalibrated(place: Place) -> Command:
    return Command(["predict", place.model, speech(place), "--out", place.out])


@situation("confidence-older-fit-at-its-bound")
def _older(place: Place) -> Command:
    folder = place.folder / "model"
    save_model(load_model(place.model), folder)
    path = folder / "prediction.json"
    known = json.loads(path.read_text())
    known["confidence"] = {"emotion": {"temperature": 0.07, "unsure_below": 0.0, "utterances": 21}}
    path.write_text(json.dumps(known))
    write_index(folder, list(read_index(folder)))

    def check(place: Place) -> None:
        (written,) = place.out.glob("*.json")
        answers = [segment["emotion"] for segment in json.loads(written.read_text())["segments"]]
        assert all(answer["confidence"] < 0.999 for answer in answers)

    return Command(["predict", folder, speech(place), "--out", place.out], check)


@situation("evaluate-labels-of-others")
def _labels(place: Place) -> Command:
    corpus_of(place, "anger1", "calm", "neutral")
    return measure(place)


@situation("evaluate-labels-spelled-otherwise")
def _spelled(place: Place) -> Command:
    corpus_of(place, "Wut", "neu", "ANG")
    return measure(place)


def mapped(place: Place, text: str | None) -> Command:
    """A corpus of cross, calm and bored, and a file of labels."""
    corpus_of(place, "cross", "calm", "bored")
    if text is not None:
        (place.folder / "map.yaml").write_text(text)
    command = measure(place)
    return command._replace(words=[*command.words, "--labels", "map.yaml"])


@situation("evaluate-labels-file-merges")
def _merging(place: Place) -> Command:
    def check(place: Place) -> None:
        table = pd.read_csv(place.out / "predictions.csv", keep_default_na=False)
        assert sorted(table["emotion"]) == ["anger", "neutral", "neutral"]

    return mapped(place, "cross: angry\ncalm: neutral\nbored: neutral\n")._replace(check=check)


@situation("evaluate-labels-file-missing")
def _no_map(place: Place) -> Command:
    return mapped(place, None)


@situation("evaluate-labels-file-empty")
def _empty_map(place: Place) -> Command:
    return mapped(place, "# nothing\n")


@situation("evaluate-labels-file-a-list")
def _list(place: Place) -> Command:
    return mapped(place, "- cross\n- calm\n")


@situation("evaluate-labels-file-not-a-label")
def _nested(place: Place) -> Command:
    return mapped(place, "cross: [anger, neutral]\n")


@situation("evaluate-labels-file-not-of-the-corpus")
def _not_theirs(place: Place) -> Command:
    return mapped(place, "cross: anger\ncalmm: neutral\n")


@situation("evaluate-map-not-of-the-model")
def _renamed_to_nothing(place: Place) -> Command:
    corpus_of(place, "cross", "calm", "neutral")
    command = measure(place)
    return command._replace(words=[*command.words, "--map", "calm=Wut", "--map", "cross=joy"])


@situation("evaluate-labels-file-not-of-the-model")
def _not_ours(place: Place) -> Command:
    return mapped(place, "cross: anger\ncalm: neutrl\n")


@situation("evaluate-labels-file-leaves-all-out")
def _none_left(place: Place) -> Command:
    return mapped(place, '"*": null\n')


@situation("predict-classes-unknown")
def _no_class(place: Place) -> Command:
    return Command(["predict", place.model, speech(place), "--out", place.out, "--classes", "anger,joy"])


@situation("predict-one-class")
def _one(place: Place) -> Command:
    return Command(["predict", place.model, speech(place), "--out", place.out, "--classes", "anger,Wut"])


@situation("predict-unsure-of-ratings")
def _unsure_rating(place: Place) -> Command:
    save_model(rated_model({"valence": VALENCE}), place.folder / "rated")
    return Command(["predict", "rated", speech(place), "--out", place.out, "--unsure", "0.5"])


@situation("predict-values-of-classes")
def _no_values(place: Place) -> Command:
    return Command(["predict", place.model, speech(place), "--out", place.out, "--values"])


@situation("predict-band-unknown")
def _no_band(place: Place) -> Command:
    save_model(rated_model({"valence": VALENCE}, band=None), place.folder / "rated")

    def check(place: Place) -> None:
        (written,) = place.out.glob("*.json")
        told = json.loads(written.read_text())
        assert told["coverage"] == {"valence": None}
        assert all(one["valence"]["low"] is None for one in told["segments"])

    return Command(["predict", "rated", speech(place), "--out", place.out], check)


@situation("evaluate-labels-in-part")
def _some_labels(place: Place) -> Command:
    corpus_of(place, "anger", "neutral", "bored")
    return measure(place)


@situation("evaluate-one-class")
def _one_class(place: Place) -> Command:
    corpus_of(place, "anger", "anger", "anger")
    return measure(place)


def _rated(place: Place, ratings: list[float | None]) -> Command:
    save_model(rated_model({"valence": VALENCE}), place.folder / "rated")
    corpus = corpus_of(place, *(["anger", "neutral"] * len(ratings))[: len(ratings)])
    Corpus(corpus.table.assign(valence=ratings), corpus.info).save(place.folder / "corpus")

    def check(place: Place) -> None:
        found = pd.read_csv(place.out / "metrics.csv").set_index("metric")
        assert found["n"].unique().tolist() == [sum(one is not None for one in ratings)]
        assert found["value"][["rmse", "mae"]].notna().all()
        assert found[["low", "high"]].loc["ccc"].isna().all()

    return Command(measure(place, Path("rated")).words, check)


@situation("evaluate-one-rating")
def _one_rating(place: Place) -> Command:
    return _rated(place, [3.0, 3.0, 3.0])


@situation("evaluate-a-single-rating")
def _single_rating(place: Place) -> Command:
    return _rated(place, [None, 4.0, None])


@situation("evaluate-training-clips")
def _training_clips(place: Place) -> Command:
    corpus = corpus_of(place, "anger", "neutral", "anger", "neutral")
    model = load_model(place.model)
    seen = remember(corpus, {"train": ["u0", "u1"], "validation": [], "test": ["u2", "u3"]})
    model.defaults = model.defaults.model_copy(update={"seen": seen})
    save_model(model, place.folder / "model")

    def check(place: Place) -> None:
        assert set(pd.read_csv(place.out / "predictions.csv")["id"]) == {"u2", "u3"}

    return Command(measure(place, place.folder / "model").words, check)


@situation("recipe-reads-what-nobody-has")
def _no_video(place: Place) -> Command:
    corpus_of(place, "anger", "neutral")
    return Command(["train", "um-dynamic-v", "corpus", "--out", place.out])

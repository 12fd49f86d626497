"""What a starter is worth on corpora that nothing of it was trained on: the tables of docs/starter.md.

Prints one line of a Markdown table for each corpus and task. ``DATA`` is the folder that holds ravdess/, cremad/ and
meld/; ``WORK`` keeps features and, from ``make.py --work WORK``, the predictions for EmoDB's held-out speakers. Of
RAVDESS and CREMA-D only the model's own classes are measured: calm, fear, disgust and surprise are left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import affuse
from affuse.corpora.corpus import Corpus
from affuse.corpora.schema import CorpusInfo
from affuse.evaluation.calibration import apply_temperature, expected_calibration_error, probabilities_of
from affuse.evaluation.intervals import speaker_confusions, speaker_interval
from affuse.evaluation.predictions import measure_table

BINS = 15  # of confidence
HEADER = (
    "| corpus | task | clips | people | BACC (95 % interval) | ACC | mean confidence | ECE | unsure "
    "| ACC of the sure |"
)


def line(
    name: str, task: str, found: pd.DataFrame, space: list[str], people: pd.Series, unsure: float
) -> str:
    """One line; ``found`` is a prediction table whose probabilities are as ``affuse predict`` shows them."""
    found = found[found[task].isin(space)]
    probabilities, labels = probabilities_of(found, task, space)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    sure = confidence >= unsure
    measured = measure_table(found, task, space)
    interval = speaker_interval(speaker_confusions([found], task, space, people), "bacc")
    span = f" ({100 * interval.low:.1f} to {100 * interval.high:.1f})" if interval.low == interval.low else ""
    told = f"{100 * right[sure].mean():.1f}" if sure.any() else "none"
    return (
        f"| {name} | {task} | {len(found)} | {people.reindex(found['id']).nunique() or '?'} "
        f"| {100 * measured.bacc:.1f}{span} | {100 * right.mean():.1f} | {100 * confidence.mean():.1f} | "
        f"{expected_calibration_error(probabilities, labels, BINS):.3f} | {100 * (1 - sure.mean()):.0f} % | {told} |"
    )


def of_corpus(
    model: affuse.Model, name: str, corpus: Corpus, cache: Path, modalities: list[str]
) -> list[str]:
    """A line for every task that the corpus has labels of."""
    evaluation = affuse.evaluate(model, corpus, modalities=modalities, cache=cache)
    people = corpus.table.set_index("id")["speaker"]
    lines = []
    for task, space in model.label_spaces.items():
        if task in evaluation.predictions and evaluation.predictions[task].isin(space).any():
            confidence = model.defaults.of_task(task)
            found = calibrated(evaluation.predictions, task, space, confidence.temperature)
            lines.append(line(name, task, found, space, people, confidence.unsure_below))
    return lines


def calibrated(table: pd.DataFrame, task: str, space: list[str], temperature: float) -> pd.DataFrame:
    """Tables of runs hold the network's own probabilities."""
    columns = [f"{task}_p_{label}" for label in space]
    return table.assign(
        **dict(zip(columns, apply_temperature(table[columns].to_numpy(), temperature).T, strict=True))
    )


def of_unheard_speakers(unheard: Path, model: affuse.Model) -> list[str]:
    """EmoDB's clips, each answered by a head that had not heard its speaker, with the confidences of the whole one.

    Args:
        unheard: The table that ``voice.train`` writes.
        model: The voice alone, or one that it is a part of.
    """
    found = pd.read_csv(unheard, dtype={"speaker": str})
    people = found.set_index("id")["speaker"]
    lines = []
    for task, space in model.label_spaces.items():
        for name, rows in (
            ("EmoDB, held-out speakers", found[found["take"] == 0]),
            ("the same in other places", found[found["take"] > 0]),
        ):
            told = calibrated(rows, task, space, float(found[f"{task}_temperature"].iloc[0]))
            lines.append(line(name, task, told, space, people, model.defaults.of_task(task).unsure_below))
    return lines


def crema(source: Path) -> Corpus:
    """The twelve clips: intended emotion by the file's name, gender by the table of actors."""
    actors = pd.read_csv(source / "VideoDemographics.csv", dtype=str).set_index("ActorID")["Sex"].str.lower()
    names = {
        "ANG": "anger",
        "DIS": "disgust",
        "FEA": "fear",
        "HAP": "happiness",
        "NEU": "neutral",
        "SAD": "sadness",
    }
    rows = []
    for path in sorted([*source.glob("*.flv"), *source.glob("*.mp3")]):
        actor, _, emotion, _ = path.stem.split("_")
        rows.append({"id": path.stem, "audio": path.name, "text": "Don't forget a jacket.", "speaker": actor,
                     "gender": actors[actor], "emotion": names[emotion]})  # fmt: skip
    spaces = {"emotion": list(names.values()), "gender": ["female", "male"]}
    return Corpus(
        pd.DataFrame(rows), CorpusInfo(name="cremad", label_spaces=spaces, media_root=str(source.resolve()))
    )


def table_of(model: affuse.Model, data: Path, work: Path, unheard: Path) -> str:
    """The Markdown table: EmoDB where ``unheard`` is, then what nobody trained on."""
    lines = of_unheard_speakers(unheard, model) if unheard.is_file() else []
    cache = work / "cache"
    if "audio" in model.recipe.modalities:
        ravdess = affuse.prepare("ravdess", data / "ravdess", work / "ravdess")
        lines += of_corpus(model, "RAVDESS speech, voice", ravdess, cache, ["audio"])
        lines += of_corpus(model, "CREMA-D, 12 clips, voice", crema(data / "cremad"), cache, ["audio"])
    if "text" in model.recipe.modalities:
        meld = affuse.prepare("meld", data / "meld", work / "meld")
        test = Corpus(meld.table[meld.table["split"] == "test"], meld.info, meld.folder)
        lines += of_corpus(model, "MELD test, words", test, cache, ["text"])
    return "\n".join([HEADER, "|---" * HEADER.count(" | ") + "|---|", *lines])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("work", type=Path, metavar="WORK")
    given = parser.parse_args()
    print(table_of(affuse.load(given.model), given.data, given.work, given.work / "voice" / "unheard.csv"))


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main()

"""A starter's honest numbers, on people and languages that it never heard: ``python starters/measure.py MODEL DATA``.

DATA is the folder that holds ravdess/ and cremad/. Nothing is trained, chosen or tuned on them. EmoDB is measured by
``voice.py`` while it trains: by heads that had not heard the speaker.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import affuse
from affuse.corpora.schema import CorpusInfo
from affuse.evaluation.calibration import (
    apply_temperature,
    expected_calibration_error,
    probabilities_of,
)
from affuse.evaluation.confidence import Confidence
from affuse.evaluation.measurement import measure_predictions

CLASSES = ["anger", "happiness", "sadness", "neutral"]
BINS = 15
_CREMAD = {"ANG": "anger", "HAP": "happiness", "SAD": "sadness", "NEU": "neutral"}


def ravdess(data: Path, folder: Path) -> affuse.Corpus:
    """The four classes: calm, fear, disgust and surprise are left out."""
    return affuse.prepare("ravdess", data / "ravdess", folder / "ravdess", emotions=CLASSES)


def cremad(data: Path, folder: Path) -> affuse.Corpus:
    """The clips at hand of the intended emotions anger, happiness, sadness and neutral; fear and disgust left out."""
    people = pd.read_csv(data / "cremad" / "VideoDemographics.csv", dtype=str).set_index("ActorID")
    rows = []
    for clip in sorted(path for path in (data / "cremad").iterdir() if path.suffix in (".flv", ".mp3")):
        actor, _, emotion, _ = clip.stem.split("_")
        if emotion in _CREMAD:
            gender = people.loc[actor, "Sex"].lower()
            rows.append((clip.stem, clip.name, _CREMAD[emotion], gender, actor))
    table = pd.DataFrame(rows, columns=["id", "audio", "emotion", "gender", "speaker"])
    info = CorpusInfo(
        name="cremad",
        media_root=str((data / "cremad").resolve()),
        language="en",
        label_spaces={"emotion": CLASSES, "gender": ["female", "male"]},
    )
    return affuse.Corpus(table, info)


def figures(table: pd.DataFrame, task: str, confidence: Confidence, people: pd.DataFrame) -> dict[str, Any]:
    """BACC with its 95 % interval over speakers, and what the confidences are worth, of a prediction table.

    Args:
        table: Of raw probabilities.
        task: emotion or gender.
        confidence: The model's.
        people: By utterance id: speaker.
    """
    start = f"{task}_p_"
    space = [str(name).removeprefix(start) for name in table.columns if str(name).startswith(start)]
    measured = measure_predictions(table, {task: space}, people).metrics.set_index("metric").loc["bacc"]
    raw, labels = probabilities_of(table, task, space)
    probabilities = apply_temperature(raw, confidence.temperature)
    sure = probabilities.max(axis=1) >= confidence.unsure_below
    right = probabilities.argmax(axis=1) == labels
    return {
        "task": task,
        "n": len(labels),
        "bacc": f"{measured['value']:.3f} [{measured['low']:.2f}, {measured['high']:.2f}]",
        "acc": round(float(right.mean()), 3),
        "confidence": round(float(probabilities.max(axis=1).mean()), 3),
        "ece": round(expected_calibration_error(probabilities, labels, BINS), 3),
        "unsure": round(float(1 - sure.mean()), 3),
        "acc_of_sure": round(float(right[sure].mean()), 3) if sure.any() else np.nan,
    }


def measure(model: str | Path, corpus: affuse.Corpus, cache: Path | None = None) -> pd.DataFrame:
    """``figures`` of every task of a model on a corpus that it has not seen."""
    opened = affuse.load(model)
    found = affuse.evaluate(opened, corpus, role="all", cache=cache)
    people = corpus.table.set_index("id")
    return pd.DataFrame([
        figures(found.predictions, task, opened.defaults.of_task(task), people)
        for task in opened.label_spaces
    ])  # fmt: skip


def main() -> None:
    """Print the figures of a model on the corpora that are not trained on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--corpora", nargs="+", default=["ravdess", "cremad"], choices=["ravdess", "cremad"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for name in given.corpora:
            corpus = {"ravdess": ravdess, "cremad": cremad}[name](given.data, Path(temporary))
            print(name, measure(given.model, corpus).to_string(index=False), sep="\n")


if __name__ == "__main__":
    main()

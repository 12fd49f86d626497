"""The voice of the starters: a small head trained on EmoDB (Burkhardt et al. 2005), in affuse's own way.

Run by ``starters/make.py``; ``python starters/voice.py EMODB OUT [--whisper FOLDER]`` writes the model folder
of the voice alone. Everything is decided on EmoDB: by speakers that a head has not heard, and by voices of the gender
that it has not heard, both in simulated other places (``shifts.py``).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from confidence import of_other_corpora
from measure import HEADER, of_unheard_speakers
from shifts import RATE, shifted

import affuse
from affuse import Recipe
from affuse.evaluation.confidence import Confidence, fit_confidence
from affuse.models.defaults import TrainedOn
from affuse.models.network import Model
from affuse.models.saving import save_model
from affuse.training.seen import remember

RECIPE = Path(__file__).with_name("voice.yaml")
WHISPER = Path(__file__).with_name("voice-whisper.yaml")
CLASSES = ["anger", "happiness", "sadness", "neutral"]  # those of which the edition at hand is complete
COPIES = 3  # of a clip of the commonest class; rarer classes get more, until all have as many clips
SEED = 20


def corpus(source: Path, folder: Path) -> affuse.Corpus:
    """EmoDB's four complete classes with shifted copies: columns ``take`` (0: the clip itself) and ``clip``."""
    plain = affuse.prepare("emodb", source, folder / "emodb", emotions=CLASSES)
    media = folder / "media"
    media.mkdir(parents=True, exist_ok=True)
    counts = plain.table["emotion"].value_counts()
    whole = int(counts.max()) * (1 + COPIES)
    seen = dict.fromkeys(counts.index, 0)
    rows = []
    for number, (row, utterance) in enumerate(
        zip(plain.table.to_dict("records"), plain.utterances(), strict=True)
    ):
        sound = utterance.waveform(RATE)
        own, label = seen[row["emotion"]], row["emotion"]
        seen[label] += 1
        takes = whole // counts[label] + (own < whole % counts[label])
        for take in range(takes):
            name = f"{row['id']}-{take}"
            made = shifted(sound, np.random.default_rng([SEED, number, take])) if take else sound
            soundfile.write(
                media / f"{name}.wav", made, RATE, subtype="PCM_16"
            )  # float files hold the time of writing
            rows.append(row | {"id": name, "audio": f"{name}.wav", "take": take, "clip": row["id"]})
    info = plain.info.model_copy(update={"media_root": str(media.resolve()), "name": "emodb-shifted"})
    return affuse.Corpus(pd.DataFrame(rows).drop(columns=["start", "end"], errors="ignore"), info)


def train(source: Path, folder: Path, recipe: Path = RECIPE, encoder: Path | None = None) -> Model:
    """Train the head on all ten speakers; its confidences are of heads that had not heard the speaker.

    Writes ``unheard.csv`` into ``folder``: what those heads answered, and the temperatures found with it.

    Args:
        source: Where EmoDB lies.
        folder: For the copies, the runs of held-out speakers and the features.
        recipe: ``voice.yaml``, ``voice-whisper.yaml``, or another one of the same tasks.
        encoder: The folder of the network that the recipe names by its Hub id; None: it is fetched.
    """
    own = {} if encoder is None else {"modalities.audio.options.model": str(encoder)}
    shifted_corpus = corpus(source, folder)
    held_out = predictions_of_unheard(shifted_corpus, folder, Recipe.load(recipe, own))
    copies = held_out[held_out["take"] > 0]
    confidence = {
        "emotion": of_other_corpora(copies, "emotion", CLASSES, copies["speaker"].nunique()),
        "gender": of_unheard(copies),
    }
    temperatures = {f"{task}_temperature": one.temperature for task, one in confidence.items()}
    held_out.assign(**temperatures).to_csv(folder / "unheard.csv", index=False)
    changes = {"protocol": {"kind": "column", "by": "part", "allow_speaker_overlap": True}}
    run = affuse.train(
        Recipe.load(recipe, own | changes),
        with_parts(shifted_corpus),
        folder / "whole",
        cache=folder / "cache",
    )
    model = run.model()
    plain = affuse.Corpus.load(folder / "emodb")
    seen = remember(plain, {"train": list(plain.table["id"])})
    trained_on = [TrainedOn(title="EmoDB", licence="CC0 in audEERING's edition")]
    model.defaults = model.defaults.model_copy(
        update={"confidence": confidence, "seen": seen, "trained_on": trained_on}
    )
    return model


def predictions_of_unheard(shifted_corpus: affuse.Corpus, folder: Path, recipe: Recipe) -> pd.DataFrame:
    """The prediction tables of ten runs, each without one speaker, of that speaker's clips and shifted copies."""
    grid = affuse.compare(recipe, shifted_corpus, folder / "unheard", cache=folder / "cache", baseline=False)
    tables = [run.predictions for run in grid.runs]
    held_out = pd.concat([table[table["role"] == "test"] for table in tables], ignore_index=True)
    about = shifted_corpus.table.set_index("id")[["take", "speaker"]]
    return held_out.join(about, on="id")


def with_parts(shifted_corpus: affuse.Corpus) -> affuse.Corpus:
    """All but the last copy of every clip train: a run needs a test part, whose numbers are not used."""
    table = shifted_corpus.table
    last = table["take"] == table.groupby("clip")["take"].transform("max")
    return affuse.Corpus(table.assign(part=np.where(last, "test", "train")), shifted_corpus.info)


def of_unheard(copies: pd.DataFrame) -> Confidence:
    """Of gender, which voices of other languages tell alike: fitted on unheard speakers as they are."""
    return fit_confidence(copies, "gender", ["female", "male"], copies.set_index("id")["speaker"].to_dict())


def main() -> None:
    """Train, write the model folder, and print the figures of the held-out speakers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, metavar="EMODB")
    parser.add_argument("out", type=Path, metavar="OUT", help="the model folder")
    parser.add_argument(
        "--whisper", type=Path, metavar="FOLDER", help="of openai/whisper-tiny.en: the other form"
    )
    parser.add_argument("--work", type=Path, help="folder for features and runs (default: a temporary one)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        model = train(given.source, work, WHISPER if given.whisper else RECIPE, given.whisper)
        save_model(model, given.out)
        print(HEADER, *of_unheard_speakers(work / "unheard.csv", model), sep="\n")


if __name__ == "__main__":
    main()

"""A realistic check of ``affuse predict``: EmoDB and RAVDESS together, unheard speakers, one long recording.

    python benchmarks/check_timelines.py CORPORA/emodb CORPORA/ravdess OUT --model ../shared/weights/whisper-tiny.en

Trains the four shared emotions (and gender) on both corpora by the voice, with whole speakers held out and every clip
trimmed to its speech; joins all clips of the held-out speakers, as they are, in random order with 0.5 to 2 s of silence
between them; predicts the recording, and compares the timeline with the truth. Where a clip begins and ends is known
twice: where it was put, and where its sound first and last comes within 35 dB of its loudest 20 ms (RAVDESS's clips
have about a second of silence at either end).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

import affuse
from affuse.corpora.schema import CorpusInfo
from affuse.corpora.trim import trim
from affuse.evaluation.metrics import measure
from affuse.files import write_json
from affuse.media.audio import read_waveform

RATE = 16_000
CLASSES = ["anger", "happiness", "sadness", "neutral"]
NAMES = {"angry": "anger", "happy": "happiness", "sad": "sadness"}
STEP = 0.01  # seconds of the grid on which time is counted
SETTINGS = [
    "modalities.text=null", "modalities.audio.encoder=speech", "modalities.audio.options.context=10",
    "modalities.audio.options.average=10", "modalities.audio.standardise=true", "fusion.options.pool.audio=mean_std",
    "lr=1e-3", "epochs=60", "training.patience=15", "classes=" + ",".join(CLASSES), "tasks.gender={}",
    "protocol.kind=group_k_fold", "protocol.by=speaker", "protocol.folds=5",
    "protocol.validation={fraction: 0.15, by: speaker}",
]  # fmt: skip


def merge(folders: list[Path], out: Path) -> affuse.Corpus:
    """Both corpora as one, with the rows of the shared classes."""
    parts = []
    for folder in folders:
        corpus = affuse.Corpus.load(folder)
        table = corpus.table.copy()
        table["emotion"] = table["emotion"].replace(NAMES)
        table = table[table["emotion"].isin(CLASSES)]
        table["audio"] = [str((corpus.media_root / path).resolve()) for path in table["audio"]]
        for column in ("id", "speaker"):
            table[column] = corpus.info.name + "-" + table[column].astype(str)
        parts.append(table[["id", "audio", "speaker", "gender", "emotion"]])
    spaces = {"emotion": CLASSES, "gender": ["female", "male"]}
    return affuse.Corpus(pd.concat(parts), CorpusInfo(name="emodb+ravdess", label_spaces=spaces)).save(out)


def train(corpus: affuse.Corpus, out: Path, model: str, cache: Path | None) -> None:
    from affuse.cli.console import bars
    from affuse.training.cache import FeatureCache, default_folder
    from affuse.training.experiment import set_up
    from affuse.training.fold import train_fold

    recipe = affuse.Recipe.load("server", [*SETTINGS, f"modalities.audio.options.model={model}"])
    with bars() as progress:
        experiment = set_up(corpus, recipe, FeatureCache(cache or default_folder()), progress, folds=[0])
        train_fold(experiment, experiment.recipe, 0, out)


def join(corpus: affuse.Corpus, run: Path, wav: Path, seed: int = 0) -> pd.DataFrame:
    """The recording, and a row per clip: start, end, first and last sound, labels."""
    split = pd.read_csv(run / "split.csv", dtype=str)
    held = set(split[split["role"] == "test"]["id"])
    random = np.random.default_rng(seed)
    table = corpus.table[corpus.table["id"].isin(held)]
    rows, blocks, at = [], [], 0
    for _, row in table.iloc[random.permutation(len(table))].iterrows():
        silence = round(random.uniform(0.5, 2) * RATE)
        wave = read_waveform(str(row["audio"]), RATE)
        frames = wave[: len(wave) // 320 * 320].reshape(-1, 320)
        level = 10 * np.log10((frames**2).mean(axis=1) + 1e-12)
        loud = np.flatnonzero(level > level.max() - 35)
        begin = at + silence
        rows.append({
            "id": row["id"], "emotion": row["emotion"], "gender": row["gender"],
            "start": begin / RATE, "end": (begin + len(wave)) / RATE,
            "first": begin / RATE + loud[0] * 0.02, "last": begin / RATE + (loud[-1] + 1) * 0.02,
        })  # fmt: skip
        blocks += [np.zeros(silence, np.float32), wave]
        at = begin + len(wave)
    soundfile.write(wav, np.concatenate([*blocks, np.zeros(RATE, np.float32)]), RATE)
    return pd.DataFrame(rows)


def score(truth: pd.DataFrame, segments: pd.DataFrame, seconds: float, clips: pd.DataFrame) -> dict:
    """clips: the run's prediction table, for what the model says of the same clips one by one."""
    found: dict = {"clips": len(truth), "seconds": round(seconds, 1), "segments": len(segments)}
    cells = int(seconds / STEP) + 1

    def on_grid(table: pd.DataFrame, start: str, end: str) -> np.ndarray:
        """-1 where no row is."""
        grid = np.full(cells, -1)
        for i, row in enumerate(table.itertuples(index=False)):
            grid[round(getattr(row, start) / STEP) : round(getattr(row, end) / STEP)] = i
        return grid

    said, inside, sounding = (
        on_grid(segments, "start", "end"), on_grid(truth, "start", "end"), on_grid(truth, "first", "last")
    )  # fmt: skip
    found["speech missed"] = float((said[sounding >= 0] < 0).mean())
    found["silence taken for speech"] = float((said[inside < 0] >= 0).mean())
    alone = clips[clips["role"] == "test"].set_index("id")
    for task, space in (("emotion", CLASSES), ("gender", ["female", "male"])):
        labels = np.array([*segments[task], ""], dtype=object)
        both = (sounding >= 0) & (said >= 0)
        true_of_time = truth[task].to_numpy()[sounding[both]]
        found[f"{task}: time right, of speech found"] = float((labels[said[both]] == true_of_time).mean())
        sure = ~np.array([*segments[f"{task}_unsure"], True], bool)
        found[f"{task}: time right, where sure"] = float(
            (labels[said[both]] == true_of_time)[sure[said[both]]].mean()
        )
        found[f"{task}: share of time sure"] = float(sure[said[both]].mean())
        calls = []
        for i in range(len(truth)):  # a clip's label is the one with the most seconds in it
            heard = labels[said[(inside == i) & (said >= 0)]]
            names, counts = np.unique(heard.astype(str), return_counts=True)
            calls.append(names[counts.argmax()] if len(names) else "")
        heard = np.array(calls) != ""
        codes = {name: i for i, name in enumerate(space)}
        known = measure(
            truth[task].map(codes).to_numpy()[heard],
            np.array([codes[c] for c in np.array(calls)[heard]]),
            space,
        )
        own = alone.loc[truth["id"]]
        single = measure(
            truth[task].map(codes).to_numpy(), own[f"{task}_predicted"].map(codes).to_numpy(), space
        )
        found[f"{task}: clips heard"] = int(heard.sum())
        found[f"{task}: clip ACC, BACC from the timeline"] = (known.acc, known.bacc)
        found[f"{task}: clip ACC, BACC of the clips one by one"] = (single.acc, single.bacc)
    counts = [len(set(said[inside == i]) - {-1}) for i in range(len(truth))]
    found["segments per clip: 0, 1, more"] = [
        sum(c == 0 for c in counts), sum(c == 1 for c in counts), sum(c > 1 for c in counts)
    ]  # fmt: skip
    for name, edge in (("start", "first"), ("end", "last")):
        error = np.array([np.abs(segments[name] - value).min() for value in truth[edge]])
        found[f"{name}: median error, 90 %, within 0.25 s"] = (
            float(np.median(error)), float(np.percentile(error, 90)), float((error <= 0.25).mean())
        )  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("corpora", nargs=2, type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="../shared/weights/whisper-tiny.en")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--untrimmed", action="store_true", help="train on the clips with their silences")
    arguments = parser.parse_args()
    out: Path = arguments.out
    corpus = merge(arguments.corpora, out / "corpus")
    trimmed = corpus if arguments.untrimmed else trim(corpus).save(out / "trimmed")
    train(trimmed, out / "run", arguments.model, arguments.cache)
    truth = join(corpus, out / "run", out / "joined.wav")
    truth.to_csv(out / "truth.csv", index=False)
    timeline = affuse.load(out / "run").predict(out / "joined.wav")
    segments = timeline.to_frame()
    segments.to_csv(out / "segments.csv", index=False)
    found = score(truth, segments, timeline.seconds, pd.read_csv(out / "run" / "predictions.csv"))
    write_json(out / "scores.json", found)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

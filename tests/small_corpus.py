"""A small real corpus on disk: voices whose pitch and words whose meaning give the label, and feature arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from affuse.corpora.corpus import Corpus
from affuse.corpora.schema import CorpusInfo

PITCH = {"anger": 260.0, "sadness": 130.0, "neutral": 190.0}
WORDS = {"anger": "angry door goes now", "sadness": "sad train was there", "neutral": "the calm day is here"}


def make_corpus(folder: Path, speakers: int = 6, each: int = 4, seed: int = 0) -> Corpus:
    """``speakers`` x ``each`` utterances per class, alternating gender; one tone per clip, 0.4 to 0.8 s."""
    random = np.random.default_rng(seed)
    media = folder / "media"
    media.mkdir(parents=True, exist_ok=True)
    rows, features = [], []
    for speaker in range(speakers):
        gender = "female" if speaker % 2 else "male"
        for label, pitch in PITCH.items():
            for take in range(each):
                name = f"s{speaker}_{label}_{take}"
                time = np.arange(int(16_000 * random.uniform(0.4, 0.8))) / 16_000
                hertz = pitch * (1.15 if gender == "female" else 1.0) * random.uniform(0.97, 1.03)
                wave = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 6))
                wave = 0.2 * wave + 0.01 * random.standard_normal(len(time))
                soundfile.write(media / f"{name}.wav", wave.astype(np.float32), 16_000)
                features.append(
                    np.eye(3)[list(PITCH).index(label)] * 40 + random.standard_normal(3) * 10 + 300
                )
                rows.append({
                    "id": name, "audio": f"{name}.wav", "text": WORDS[label], "speaker": f"s{speaker}",
                    "gender": gender, "emotion": label, "session": f"{speaker % 3}",
                    "features_face": f"features/face.npy#{len(rows)}",
                })  # fmt: skip
    (folder / "corpus" / "features").mkdir(parents=True, exist_ok=True)
    np.save(folder / "corpus" / "features" / "face.npy", np.array(features, dtype=np.float32))
    info = CorpusInfo(
        name="small",
        generated=True,
        media_root=str(media),
        label_spaces={"emotion": list(PITCH), "gender": ["female", "male"]},
    )
    return Corpus(pd.DataFrame(rows), info).save(folder / "corpus")

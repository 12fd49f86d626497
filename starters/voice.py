"""The voice of the starter: a linear head trained on EmoDB (Burkhardt et al. 2005), in affuse's own way.

Run by ``starters/make.py``. Everything is decided on EmoDB: by speakers that a head has not heard, and by voices of the
gender that it has not heard, both in simulated other places (``shifts.py``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from shifts import RATE, shifted

import affuse

CLASSES = ["anger", "happiness", "sadness", "neutral"]  # those of which the edition at hand is complete
COPIES = 4  # of a clip of the commonest class; rarer classes get more, until all have as many clips
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
            soundfile.write(media / f"{name}.wav", made, RATE, subtype="FLOAT")
            rows.append(row | {"id": name, "audio": f"{name}.wav", "take": take, "clip": row["id"]})
    info = plain.info.model_copy(update={"media_root": str(media.resolve()), "name": "emodb-shifted"})
    return affuse.Corpus(pd.DataFrame(rows).drop(columns=["start", "end"], errors="ignore"), info)

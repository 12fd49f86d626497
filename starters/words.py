"""The words of the starter: a head on frozen all-MiniLM-L6-v2, trained on GoEmotions (Demszky et al. 2020, CC BY 4.0).

Run by ``starters/make.py``. GoEmotions are 54,263 comments with Ekman's six emotions and neutral, one or more labels
each. A comment with k labels is k training rows of one label: their cross-entropies add up to k times the
cross-entropy to the labels' even distribution.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from confidence import of_other_corpora

import affuse
from affuse.corpora.schema import CorpusInfo
from affuse.corpora.vocabulary import canonical
from affuse.models.defaults import TrainedOn
from affuse.models.network import Model

RECIPE = Path(__file__).with_name("words.yaml")
FILES = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}
LICENCE = "CC BY 4.0"
TITLE = "GoEmotions, Ekman's six emotions and neutral (Demszky et al. 2020)"


def corpus(source: Path) -> affuse.Corpus:
    """The release as a corpus: a row per comment and label, the rarer classes repeated in the training part.

    Validation and test have every comment once for each of its labels, and are not balanced.
    """
    names = [canonical(name) or name for name in (source / "labels.txt").read_text().split()]
    parts = []
    for part, file in FILES.items():
        table = pd.read_csv(
            source / file, sep="\t", header=None, names=["text", "labels", "id"], quoting=3, dtype=str,
            keep_default_na=False,
        )  # fmt: skip
        rows = table.assign(number=table["labels"].str.split(",")).explode("number", ignore_index=True)
        rows["emotion"] = [names[int(number)] for number in rows["number"]]
        rows["id"] = rows["id"] + "-" + rows["emotion"]
        rows["part"] = part
        parts.append(_balanced(rows) if part == "train" else rows)
    whole = pd.concat(parts, ignore_index=True)[["id", "text", "emotion", "part"]]
    info = CorpusInfo(
        name="goemotions",
        full_name=TITLE,
        licence=LICENCE,
        language="en",
        label_spaces={"emotion": sorted(names)},
    )
    return affuse.Corpus(whole, info)


def _balanced(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows repeated, in the order of the file, until every class has as many as the commonest."""
    most = int(rows["emotion"].value_counts().max())
    found = []
    for label, own in rows.groupby("emotion", sort=True):
        again = np.arange(most) // len(own)
        repeated = own.iloc[np.arange(most) % len(own)].copy()
        repeated["id"] = [f"{id}-{n}" if n else id for id, n in zip(repeated["id"], again, strict=True)]
        found.append(repeated.assign(emotion=label))
    return pd.concat(found, ignore_index=True)


def train(source: Path, folder: Path) -> Model:
    """Train the head; ``source`` is the folder with train.tsv, dev.tsv, test.tsv and labels.txt."""
    run = affuse.train(RECIPE, corpus(source), folder / "words", cache=folder / "cache")
    model, found = run.model(), run.predictions
    held_out = found[found["role"] == "validation"]
    confidence = of_other_corpora(held_out, "emotion", model.label_spaces["emotion"])
    about = {"confidence": {"emotion": confidence}, "trained_on": [TrainedOn(title=TITLE, licence=LICENCE)]}
    # 54,263 digests of what was seen would be larger than the head
    model.defaults = model.defaults.model_copy(update={**about, "seen": None})
    return model

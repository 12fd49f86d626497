"""GoEmotions (Demszky et al., ACL 2020): 54,263 comments of Reddit, one or more emotions each, with the official split.

``train.tsv``, ``dev.tsv`` and ``test.tsv`` (text, numbers of labels with commas between, id) and the names of the
labels, one a line: ``emotions.txt`` of the release (27 emotions and neutral), or ``labels.txt`` of an edition that has
them grouped already.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.corpora.corpus_files import writes_corpus
from affuse.corpora.readers.release import check_folder, media_files
from affuse.corpora.schema import CorpusInfo
from affuse.corpora.vocabulary import canonical
from affuse.errors import AffuseError
from affuse.names import listed, quote

SPLITS = {"train": "train", "dev": "validation", "test": "test"}  # the release's word -> the role
PUBLISHED = {"train": 43_410, "dev": 5_426, "test": 5_427}
NAMES = ("emotions.txt", "labels.txt")
TITLE = "GoEmotions (Demszky et al. 2020)"
LICENCE = "CC BY 4.0"
# Ekman's six -> the release's labels, as the release's ekman_mapping.json and the paper's section 4.4 have it
EKMAN = {
    "anger": ["anger", "annoyance", "disapproval"],
    "disgust": ["disgust"],
    "fear": ["fear", "nervousness"],
    "happiness": [
        "joy", "amusement", "approval", "excitement", "gratitude", "love", "optimism", "relief", "pride", "admiration",
        "desire", "caring",
    ],
    "sadness": ["sadness", "disappointment", "embarrassment", "grief", "remorse"],
    "surprise": ["surprise", "realization", "confusion", "curiosity"],
    "neutral": ["neutral"],
}  # fmt: skip


@writes_corpus()
def prepare(source: str | Path, out: str | Path, *, grouping: Literal["ekman", "none"] = "ekman") -> Corpus:
    """GoEmotions: its TSV files and the names of its labels, at any folder depth.

    Beside text and id: ``emotions``, any of the labels at once, joined by ``;``; ``emotion``, where a comment has one
    label; and ``split`` (train, validation, test: the official split). Who wrote a comment is not known.

    Args:
        source: The folder that holds the release.
        out: The corpus folder to write.
        grouping: ekman: Ekman's six emotions and neutral; none: the labels as the files have them.

    Raises:
        AffuseError: A file is missing, or a line is not as released.
    """
    source = check_folder(source, "GoEmotions")
    files = {path.name.lower(): source / path for path in reversed(media_files(source, (".tsv", ".txt")))}
    names_file = next((files[name] for name in NAMES if name in files), None)
    parts = {word: files[f"{word}.tsv"] for word in SPLITS if f"{word}.tsv" in files}
    if names_file is None or not parts:
        raise AffuseError(
            f"{source} holds no GoEmotions release: looked at any depth for "
            f"{', '.join(f'{word}.tsv' for word in SPLITS)} and {' or '.join(NAMES)}; give the folder that holds them."
        )
    names = names_file.read_text(encoding="utf-8").split()
    groups = _groups(names, grouping, names_file)
    table = pd.concat([_read(path, word, names, groups) for word, path in parts.items()], ignore_index=True)
    counts = {word: int((table["split"] == role).sum()) for word, role in SPLITS.items()}
    odd = [
        f"{word} {counts[word]} of {number}" for word, number in PUBLISHED.items() if counts[word] != number
    ]
    labels = list(dict.fromkeys(groups.values()))
    info = CorpusInfo(
        name="goemotions",
        full_name=TITLE,
        source=str(source),
        licence=LICENCE,
        language="en",
        label_spaces={"emotion": labels},
        notes=[
            *([f"not the whole of GoEmotions: {', '.join(odd)}"] if odd else []),
            "written, not spoken; who wrote a comment is not known, so every comment counts as a speaker of its own",
        ],
    )
    return Corpus(table, info).save(out)


def _groups(names: list[str], grouping: str, path: Path) -> dict[str, str]:
    """Label of the files -> label of the corpus."""
    if grouping == "none":
        return {name: name for name in names}
    of_ekman = {fine: coarse for coarse, several in EKMAN.items() for fine in several}
    strange = [name for name in names if name not in of_ekman]
    if strange:
        raise AffuseError(
            f"{path}: {listed(strange)} is no label of GoEmotions; take the file from the release, or grouping none."
        )
    groups = {name: of_ekman[name] for name in names}
    return groups if len(names) > len(EKMAN) else {name: canonical(name) or name for name in names}


def _read(path: Path, word: str, names: list[str], groups: dict[str, str]) -> pd.DataFrame:
    order = list(dict.fromkeys(groups.values()))
    rows: list[dict[str, str | None]] = []
    # a comment may hold what str.splitlines takes for the end of a line
    for number, line in enumerate(path.read_text(encoding="utf-8").removesuffix("\n").split("\n"), 1):
        cells = line.split("\t")
        if len(cells) != 3:
            raise AffuseError(
                f"{path}, line {number}: {len(cells)} cells with tabs between in place of text, labels and id; take "
                "the file from the GoEmotions release."
            )
        text, numbers, id = cells
        found = {groups[_name(one, names, path, number)] for one in numbers.split(",")}
        labels = [label for label in order if label in found]
        rows.append(
            {
                "id": id, "text": text, "emotions": ";".join(labels),
                "emotion": labels[0] if len(labels) == 1 else None, "split": SPLITS[word],
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _name(number: str, names: list[str], path: Path, line: int) -> str:
    if not (number.isascii() and number.isdigit() and int(number) < len(names)):
        raise AffuseError(
            f"{path}, line {line}: {quote(number)} is not a label's number, from 0 to {len(names) - 1}; take the file "
            "and the names of its labels from one release."
        )
    return names[int(number)]

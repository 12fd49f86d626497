"""MELD (Poria et al., ACL 2019): 13,708 utterances of TV dialogue with 7 emotions and 3 sentiments.

``train_sent_emo.csv``, ``dev_sent_emo.csv``, ``test_sent_emo.csv`` and, where present, the clips
``dia{D}_utt{U}.mp4`` in folders whose names say the split. Dialogue numbers start again in every split.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import ftfy
import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.corpora.corpus_files import writes_corpus
from affuse.corpora.labels import label_spaces
from affuse.corpora.readers.release import VIDEO, check_folder, media_files, note_of
from affuse.corpora.schema import CorpusInfo
from affuse.corpora.vocabulary import canonical_names
from affuse.errors import AffuseError
from affuse.files.names import written
from affuse.names import listed
from affuse.tables import read_table

SPLITS = {"train": "train", "dev": "validation", "test": "test"}  # the release's word -> the role
PUBLISHED = {"train": 9989, "dev": 1109, "test": 2610}
EMOTIONS = ["neutral", "happiness", "surprise", "anger", "sadness", "disgust", "fear"]
SENTIMENTS = ["neutral", "positive", "negative"]
# the six main characters; everybody else's gender is left blank
GENDER_OF_SPEAKER = {
    "Chandler": "male",
    "Joey": "male",
    "Ross": "male",
    "Monica": "female",
    "Phoebe": "female",
    "Rachel": "female",
}
FIELDS = (
    "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID", "Season", "Episode",
    "StartTime", "EndTime",
)  # fmt: skip
CLIP = re.compile(r"dia(?P<dialogue>\d+)_utt(?P<utterance>\d+)", re.I)
TIME = re.compile(r"(\d+):(\d\d):(\d\d)[,.](\d{1,3})")


@writes_corpus()
def prepare(source: str | Path, out: str | Path) -> Corpus:
    """MELD: its CSV files, and its mp4 clips where they lie beside them, at any folder depth.

    Beside the usual columns: ``split`` (train, validation, test: the official split), ``sentiment``,
    ``episode`` and ``episode_start``/``episode_end`` (seconds into the episode, not into the clip).
    ``session`` is the season; ``dialog`` is unique over the splits.

    Args:
        source: The folder that holds the release.
        out: The corpus folder to write.

    Raises:
        AffuseError: None of the CSV files is found, or one is not as released.
    """
    source = check_folder(source, "MELD")
    found = {word: _listing(source, word) for word in SPLITS}
    listings = {word: path for word, path in found.items() if path is not None}
    if not listings:
        raise AffuseError(
            f"{source} holds no MELD release: looked at any depth for "
            f"{', '.join(f'{word}_sent_emo.csv' for word in SPLITS)}; give the folder that holds them."
        )
    table = pd.concat([_read(path, word) for word, path in listings.items()], ignore_index=True)
    table["speaker"] = _one_spelling_each(table["speaker"])
    table["gender"] = table["speaker"].map(GENDER_OF_SPEAKER).astype("string")
    clips, notes = _clips(source)
    table["audio"] = table["video"] = table["id"].map(clips).astype("string")
    notes = [*_notes_on_counts(table, listings), *notes]
    if clips:
        notes.append(f"{int(table['video'].notna().sum())} of {len(table)} utterances have a clip")
    info = CorpusInfo(
        name="meld",
        source=str(source),
        licence="GPL-3.0 (the release's repository); the source is a TV show",
        language="en",
        media_root=str(source),
        label_spaces={
            **label_spaces(table, [*EMOTIONS, *sorted(set(table["emotion"]) - {*EMOTIONS})]),
            "sentiment": [label for label in SENTIMENTS if (table["sentiment"] == label).any()],
        },
        notes=[
            *notes,
            "the official splits share their main speakers: results on them are speaker-dependent",
            "minor speakers are named by role ('Woman', 'All'): one name need not be one person",
        ],
    )
    return Corpus(table, info).save(out)


def _listing(source: Path, word: str) -> Path | None:
    paths = media_files(source, (".csv",))
    return next((source / path for path in paths if path.name.lower() == f"{word}_sent_emo.csv"), None)


def _read(path: Path, word: str) -> pd.DataFrame:
    """One CSV file, its text and names repaired."""
    raw = read_table(path, spare_encoding="cp1252").table.fillna("")  # copies saved by a spreadsheet
    missing = [field for field in FIELDS if field not in raw.columns]
    if missing:
        raise AffuseError(
            f"{path} has no column {', '.join(missing)}; it has {listed(raw.columns)}. Take the file from "
            "the MELD release."
        )
    for field in ("Dialogue_ID", "Utterance_ID"):
        odd = raw.index[~raw[field].str.strip().str.fullmatch(r"\d+")]
        if len(odd):
            raise AffuseError(
                f"{path}, row {odd[0] + 2}, {field}: {raw[field][odd[0]]!r} is not a whole number."
            )
    dialog = f"{word}_dia" + raw["Dialogue_ID"].str.strip()
    table = pd.DataFrame(
        {
            "id": dialog + "_utt" + raw["Utterance_ID"].str.strip(),
            "text": raw["Utterance"].map(repair),
            "speaker": raw["Speaker"].map(_name),
            "dialog": dialog,
            "session": raw["Season"].str.strip(),
            "emotion": canonical_names(raw["Emotion"].str.strip().str.lower()),
            "emotion_raw": raw["Emotion"].str.strip(),
            "label_source": "release",
            "split": SPLITS[word],
            "sentiment": raw["Sentiment"].str.strip().str.lower(),
            "episode": raw["Episode"].str.strip(),
            "episode_start": raw["StartTime"].map(_seconds).astype("float64"),
            "episode_end": raw["EndTime"].map(_seconds).astype("float64"),
        }
    )
    repeated = table["id"].duplicated()
    if repeated.any():
        row = table.index[repeated][0]
        raise AffuseError(
            f"{path}, row {row + 2}, Utterance_ID: {table['id'][row]} is there twice; take the file from the "
            "MELD release."
        )
    return table


def repair(text: str) -> str:
    r"""Mend mis-encoded characters (``Iâ€™m``, ``I\x92m``), make quotes straight and white space single.

    The release mixes straight and curly quotes for the same word, which a tokenizer takes for two words.
    """
    return " ".join(ftfy.fix_text(text).split())


def _name(raw: str) -> str:
    """A speaker's name without stray space; ``ROSS`` and ``ross`` are ``Ross``."""
    name = repair(raw)
    return name.title() if name.isupper() or name.islower() else name


def _one_spelling_each(names: pd.Series) -> pd.Series:
    """Names that differ only in case take the spelling used most (ties: the first in the alphabet)."""
    spellings: dict[str, Counter[str]] = {}
    for name in names:
        spellings.setdefault(name.casefold(), Counter())[name] += 1
    best = {key: min(counts, key=lambda name: (-counts[name], name)) for key, counts in spellings.items()}
    return pd.Series([best[name.casefold()] for name in names], index=names.index)


def _seconds(time: str) -> float | None:
    match = TIME.fullmatch(time.strip())
    if match is None:
        return None
    hours, minutes, seconds, fraction = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(f"{seconds}.{fraction}")


def _clips(source: Path) -> tuple[dict[str, str], list[str]]:
    """Utterance id -> clip, and notes on clips that could not be placed."""
    clips: dict[str, str] = {}
    unplaced, odd, duplicates = [], [], []
    for path in media_files(source, VIDEO):
        match = CLIP.fullmatch(path.stem)
        word = _split_of(path)
        if match is None:
            odd.append(path)  # the release's own final_videos_test... and the like
        elif word is None:
            unplaced.append(path)
        else:
            key = f"{word}_dia{int(match['dialogue'])}_utt{int(match['utterance'])}"
            if key in clips:
                duplicates.append(path)
            clips.setdefault(key, written(path.as_posix()))
    notes = [
        *note_of(odd, "their names are not like dia0_utt0.mp4"),
        *note_of(unplaced, "no folder above them has train, dev or test in its name"),
        *note_of(duplicates, "another clip has the same split and name"),
    ]
    return clips, notes


def _split_of(path: Path) -> str | None:
    """The split named by the nearest folder above (``train_splits``, ``output_repeated_splits_test``)."""
    for folder in reversed(path.parts[:-1]):
        words = [word for word in SPLITS if word in folder.lower()]
        if len(words) == 1:
            return words[0]
    return None


def _notes_on_counts(table: pd.DataFrame, listings: dict[str, Path]) -> list[str]:
    notes = [f"{word}_sent_emo.csv was not found" for word in SPLITS if word not in listings]
    counts = table["split"].value_counts()
    for word in listings:
        number = counts[SPLITS[word]]
        if number != PUBLISHED[word]:
            notes.append(f"{word} has {number} utterances; the release has {PUBLISHED[word]}")
    return notes

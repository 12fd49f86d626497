"""CREMA-D (Cao et al. 2014): 91 actors say 12 sentences in 6 emotions, and some ten raters judge voice, face and both.

A file's name says what was meant, the raters' votes what was perceived; the two differ in a third of the clips. What is
known of the release stands in ``cremad.yaml``.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import Field

from affuse.corpora.annotations import annotation_table
from affuse.corpora.corpus import Corpus
from affuse.corpora.corpus_files import writes_corpus
from affuse.corpora.labels import label_spaces, normalise_gender
from affuse.corpora.readers.release import (
    AUDIO,
    check_folder,
    first_of_each,
    media_files,
    note_of,
    note_of_counts,
    read_listing,
    split_by_name,
    without_pointers,
)
from affuse.corpora.schema import CorpusInfo
from affuse.corpora.vocabulary import code, codes
from affuse.errors import AffuseError
from affuse.files.names import written
from affuse.files.yaml_text import read_yaml
from affuse.names import counted, quote

VOTES, SUMMARY, PEOPLE = "tabulatedVotes.csv", "summaryTable.csv", "VideoDemographics.csv"
Perceived = Literal["both", "voice", "face"]
_SOUND, _PICTURE = (*AUDIO, ".mp3"), (".flv", ".mp4")
_KINDS = (*_SOUND, *_PICTURE)  # the first that a clip has is its sound: files of sound before films
_LETTERS = {letter: label for letter, label in codes("cremad").items() if len(letter) == 1}
_NAME = re.compile(
    r"(?P<actor>1\d{3})_(?P<sentence>[A-Z]{3})_(?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD)_(?P<level>LO|MD|HI|XX|X)",
    re.I,
)


@writes_corpus()
def prepare(
    source: str | Path,
    out: str | Path,
    *,
    label: Annotated[
        Literal["intended", "perceived"],
        Field(description="the emotion: what the actor meant, or what most raters perceived"),
    ] = "intended",
    perceived: Annotated[
        Perceived, Field(description="raters of which presentation give votes and perceived emotion")
    ] = "both",
) -> Corpus:
    """CREMA-D: its files at any folder depth (wav, mp3, flv), with the votes of its raters.

    Beside the usual columns the table has ``intended`` (of the file's name), ``perceived_voice``, ``perceived_face``
    and ``perceived_both`` (what most raters perceived, blank where they tie), ``sentence``, ``level`` and ``age``. The
    votes of ``processedResults/tabulatedVotes.csv`` are kept for each perceived emotion and for ``emotion``; with
    ``summaryTable.csv`` alone there are perceived emotions and no votes. A clip's sound is its wav, its mp3 or its
    film's.

    Args:
        source: The folder that holds the release.
        out: The corpus folder to write.
        label: "intended" or "perceived".
        perceived: "both" (sound and picture), "voice" or "face".

    Raises:
        AffuseError: The folder holds no CREMA-D clip, or only pointers of Git LFS; perceived emotions are wanted and
            there is no table of them; or a table of the release is damaged.
    """
    source = check_folder(source, "CREMA-D")
    table, notes = _clips(source)
    tables = {path.name.lower(): source / path for path in reversed(media_files(source, (".csv",)))}
    notes += _add_people(table, tables.get(PEOPLE.lower()))
    counts = _votes(tables[VOTES.lower()]) if VOTES.lower() in tables else None
    summary = tables.get(SUMMARY.lower())
    for name, facts in _facts()["presentations"].items():
        found = (
            _majority(counts[counts["presentation"] == name])
            if counts is not None
            else {}
            if summary is None
            else _summarised(summary, facts["summary"])
        )
        table[f"perceived_{name}"] = table["id"].map(found).astype("string")
    if label == "perceived":
        table["emotion"], table["emotion_raw"] = table[f"perceived_{perceived}"], None
        table["label_source"] = f"raters of {perceived}"
        if table["emotion"].isna().all():
            raise AffuseError(
                f"{source} says of no clip what raters perceived: it needs processedResults/{VOTES} or {SUMMARY} of "
                "the release; add one, or leave out label: perceived."
            )
    if counts is None:
        notes.append(f"no {VOTES}: the corpus keeps no votes")
    spaces = label_spaces(table, list(_LETTERS.values()))
    for name in _facts()["presentations"]:
        if (labels := table[f"perceived_{name}"]).notna().any():
            spaces[f"perceived_{name}"] = [one for one in _LETTERS.values() if (labels == one).any()]
    info = CorpusInfo(
        name="cremad",
        full_name="CREMA-D",
        source=str(source),
        licence=_facts()["licence"],
        language="en",
        media_root=str(source),
        label_spaces=spaces,
        notes=[
            *notes,
            f"the emotion is the {label} one"
            + ("" if label == "intended" else f" ({perceived}; ties are blank)")
            + "; intended and perceived emotion differ in a third of the clips",
            "12 fixed sentences: the words carry no emotion",
        ],
    )
    said = None if counts is None else _annotations(counts, set(table["id"]), perceived)
    return Corpus(table, info, annotations=said).save(out)


@cache
def _facts() -> dict[str, Any]:
    text = files("affuse.corpora.readers").joinpath("cremad.yaml").read_text(encoding="utf-8")
    return read_yaml(text, "cremad.yaml", ["levels", "sentences", "faults", "licence"])


def _clips(source: Path) -> tuple[pd.DataFrame, list[str]]:
    """A row per clip, from the names of its files, and what was left out."""
    found = media_files(source, _KINDS)
    named, odd = split_by_name(found, _NAME)
    if not named:
        raise AffuseError(
            f"{source} holds no CREMA-D clip: looked at any depth for wav, mp3 or flv files named like "
            f"1001_DFA_ANG_XX.wav ({counted(len(found), 'media file')} have other names); give the folder that holds "
            "AudioWAV, AudioMP3 or VideoFlash."
        )
    media, pointers = without_pointers(source, named, "CREMA-D")
    kept, twice = first_of_each(media, lambda path: path.name.lower())
    clips: dict[str, dict[str, str]] = {}
    for path in kept:
        clips.setdefault(path.stem.upper(), {}).setdefault(path.suffix.lower(), written(path.as_posix()))
    faults = [id for id in clips if id in _facts()["faults"]]
    rows = [_row(id, kinds) for id, kinds in sorted(clips.items()) if id not in faults]
    if not rows:
        raise AffuseError(f"{source} holds no clip but faulty ones of the release ({', '.join(faults)}).")
    table = pd.DataFrame(rows)
    notes = [
        *note_of(odd, "their names are not CREMA-D's"),
        *note_of(twice, "another file has the same name"),
        *note_of(pointers, "they are pointers of Git LFS, not media ('git lfs pull' gets these)"),
        *(f"{id} left out: {_facts()['faults'][id]}" for id in faults),
        *note_of_counts(table, _facts()["published"], "CREMA-D"),
    ]
    return table, notes


def _row(id: str, kinds: dict[str, str]) -> dict[str, Any]:
    match = _NAME.fullmatch(id)
    assert match is not None
    emotion, sentence = match["emotion"], match["sentence"]
    return {
        "id": id,
        "audio": next(kinds[kind] for kind in _KINDS if kind in kinds),
        "video": next((kinds[kind] for kind in _PICTURE if kind in kinds), None),
        "text": _facts()["sentences"].get(sentence),
        "speaker": match["actor"],
        "gender": None,
        "emotion": code("cremad", emotion),
        "emotion_raw": emotion,
        "label_source": "file name",
        "intended": code("cremad", emotion),
        "sentence": sentence,
        "level": _facts()["levels"].get(match["level"], "unspecified"),
    }


def _add_people(table: pd.DataFrame, path: Path | None) -> list[str]:
    if path is None:
        return [f"no {PEOPLE}: the actors' gender is not known"]
    listed = read_listing(path, ["ActorID", "Age", "Sex"]).set_index("ActorID")
    gender = normalise_gender(listed["Sex"])
    table["gender"] = table["speaker"].map(gender[~gender.index.duplicated()].to_dict())
    age = pd.to_numeric(listed["Age"], errors="coerce")
    table["age"] = table["speaker"].map(age[~age.index.duplicated()].to_dict()).astype("float64")
    return []


def _votes(path: Path) -> pd.DataFrame:
    """Columns presentation, id and a label each: how many raters gave it.

    A row's own name, in a column without a name, says what its raters were given: 1... voice, 2... face, 3... both.
    """
    listed = read_listing(path, [*_LETTERS, "fileName"])
    with open(path, newline="", encoding="utf-8-sig") as stream:
        names = [row[0].strip() for row in csv.reader(stream) if any(cell.strip() for cell in row)][1:]
    by_digit = {str(facts["digit"]): name for name, facts in _facts()["presentations"].items()}
    for row, name in enumerate(names, start=2):
        if not re.fullmatch(r"[123]\d{5}", name):
            raise AffuseError(
                f"{path}, row {row}: it begins with {quote(name)}, and not with a number like 100001, which says "
                "whether voice, face or both were rated; take the file from the release."
            )
    counts = pd.DataFrame({label: _whole(path, listed, letter) for letter, label in _LETTERS.items()})
    counts.insert(0, "id", listed["fileName"].str.strip().str.upper())
    counts.insert(0, "presentation", [by_digit[name[0]] for name in names])
    return counts


def _whole(path: Path, listed: pd.DataFrame, letter: str) -> pd.Series:
    numbers = pd.to_numeric(listed[letter], errors="coerce")
    for row in numbers.index[~((numbers >= 0) & (numbers % 1 == 0))]:
        raise AffuseError(
            f"{path}, row {row + 2}, {letter}: {quote(str(listed[letter][row]))} is no number of votes; take the file "
            "from the release."
        )
    return numbers.astype("int64")


def _majority(counts: pd.DataFrame) -> dict[str, str]:
    """Clip -> what most raters perceived; clips on which they tie are left out."""
    numbers = counts.set_index("id")[list(_LETTERS.values())]
    alone = numbers.eq(numbers.max(axis=1), axis=0).sum(axis=1) == 1
    return {str(id): str(label) for id, label in numbers[alone].idxmax(axis=1).items()}


def _summarised(path: Path, column: str) -> dict[str, str]:
    """The same from the release's summary, where ties are letters with a colon between."""
    listed = read_listing(path, ["FileName", column])
    return {
        name.strip().upper(): _LETTERS[letter.strip()]
        for name, letter in zip(listed["FileName"], listed[column], strict=True)
        if letter.strip() in _LETTERS
    }


def _annotations(counts: pd.DataFrame, ids: set[str], perceived: str) -> pd.DataFrame:
    """Nobody is named: a row per clip, task and label, with a count."""
    here = counts[counts["id"].isin(ids)]
    long = here.melt(["presentation", "id"], var_name="label", value_name="count")
    long = long[long["count"] > 0].sort_values(["presentation", "id"], kind="stable")
    rows = [
        {"id": id, "task": f"perceived_{presentation}", "label": label, "count": count}
        for presentation, id, label, count in long.itertuples(index=False)
    ]
    emotion = [row | {"task": "emotion"} for row in rows if row["task"] == f"perceived_{perceived}"]
    return annotation_table([*emotion, *rows])

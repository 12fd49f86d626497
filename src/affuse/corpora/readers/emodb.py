"""EmoDB (Berlin Database of Emotional Speech; Burkhardt et al., Interspeech 2005).

535 German utterances, 10 actors, 10 fixed sentences, 7 emotions. A file's name says all about it:
``03a01Fa`` is speaker 03, sentence a01, Freude (happiness), version a.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
from pydantic import Field

from affuse.corpora.corpus import Corpus
from affuse.corpora.corpus_files import writes_corpus
from affuse.corpora.labels import choose, label_spaces, normalise_gender
from affuse.corpora.readers.release import (
    AUDIO,
    check_folder,
    first_of_each,
    media_files,
    note_of,
    note_of_counts,
    read_listing,
    split_by_name,
)
from affuse.corpora.schema import CorpusInfo
from affuse.corpora.vocabulary import canonical_names, codes
from affuse.errors import AffuseError
from affuse.files.names import written

LISTING = "utterances.csv"

EMOTIONS = codes(
    "emodb"
)  # the letter is the German word's: Wut, Langeweile, Ekel, Angst, Freude, Trauer, neutral
PUBLISHED = {
    "anger": 127,
    "boredom": 81,
    "disgust": 46,
    "fear": 69,
    "happiness": 71,
    "sadness": 62,
    "neutral": 79,
}
GENDER_OF_SPEAKER = {
    "03": "male",
    "08": "female",
    "09": "female",
    "10": "male",
    "11": "male",
    "12": "male",
    "13": "female",
    "14": "female",
    "15": "male",
    "16": "female",
}
SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
NAME = re.compile(r"(?P<speaker>\d\d)(?P<sentence>[ab]\d\d)(?P<emotion>[WLEAFTN])(?P<version>[a-z])", re.I)


@writes_corpus()
def prepare(
    source: str | Path,
    out: str | Path,
    *,
    emotions: Annotated[
        Sequence[str] | None, Field(description="keep only these (default: all seven)")
    ] = None,
) -> Corpus:
    """EmoDB: its files at any folder depth (wav or flac), or the CSV beside them.

    Beside the usual columns the table has ``sentence`` (a01 ... b10): ten sentences said in every emotion, so that the
    words carry none.

    Args:
        source: The folder that holds the release, with ``utterances.csv`` or without.
        out: The corpus folder to write.
        emotions: Keep only these; None: all seven.

    Raises:
        AffuseError: The folder holds no EmoDB file, or none of these emotions.
    """
    source = check_folder(source, "EmoDB")
    listing = source / LISTING
    table, notes = _from_listing(listing) if listing.is_file() else _from_names(source)
    whole = note_of_counts(table, PUBLISHED, "EmoDB")
    wanted = choose(emotions, list(PUBLISHED), "EmoDB")
    if emotions is not None:
        table = table[table["emotion"].isin(wanted)]
        notes.append(f"only these emotions were kept: {', '.join(wanted)}")
        if table.empty:
            raise AffuseError(f"{source} has no EmoDB utterance of {', '.join(wanted)}; ask for others.")
    known = [*wanted, *sorted(set(table["emotion"].dropna()) - set(wanted))]
    info = CorpusInfo(
        name="emodb",
        source=str(source),
        licence="freely available research corpus (Burkhardt et al. 2005); check before redistribution",
        language="de",
        media_root=str(source),
        label_spaces=label_spaces(table, known),
        notes=[
            *notes,
            *whole,
            "10 fixed sentences: the words carry no emotion (a negative control for text)",
        ],
    )
    return Corpus(table, info).save(out)


def _from_names(source: Path) -> tuple[pd.DataFrame, list[str]]:
    files = media_files(source, AUDIO)
    named, odd = split_by_name(files, NAME)
    if not named:
        raise AffuseError(
            f"{source} holds no EmoDB recording: looked at any depth for wav or flac files named like "
            f"03a01Fa.wav, or for {LISTING} ({len(files)} audio files have other names); give the folder "
            "that holds 'wav'."
        )
    kept, duplicates = first_of_each(named, lambda path: path.stem.lower())
    rows = []
    for path in sorted(kept, key=lambda path: path.stem.lower()):
        match = NAME.fullmatch(path.stem)
        assert match is not None
        sentence = match["sentence"].lower()
        rows.append(
            {
                "id": _canonical(path.stem),
                "audio": written(path.as_posix()),
                "text": SENTENCES.get(sentence),
                "speaker": match["speaker"],
                "gender": GENDER_OF_SPEAKER.get(match["speaker"]),
                "emotion": EMOTIONS[match["emotion"].upper()],
                "emotion_raw": match["emotion"].upper(),
                "label_source": "file name",
                "sentence": sentence,
            }
        )
    notes = [
        *note_of(odd, "their names are not EmoDB's"),
        *note_of(duplicates, "another file has the same name"),
    ]
    return pd.DataFrame(rows), notes


def _from_listing(path: Path) -> tuple[pd.DataFrame, list[str]]:
    listed = read_listing(path, ["file", "emotion", "speaker", "gender", "text"])
    stems = pd.Series([Path(file).stem for file in listed["file"]])
    table = pd.DataFrame(
        {
            "id": stems.map(_canonical),
            "audio": listed["file"],
            "text": listed["text"],
            "speaker": listed["speaker"],
            "gender": normalise_gender(listed["gender"]),
            "emotion": canonical_names(listed["emotion"]),
            "emotion_raw": listed["emotion"],
            "label_source": LISTING,
            "sentence": stems.map(_sentence).astype("string"),
        }
    )
    repeated = table["id"].duplicated()
    notes = note_of(list(listed["file"][repeated]), f"listed twice in {LISTING}")
    return table[~repeated], notes


def _canonical(stem: str) -> str:
    """03A01FA, as some copies have it, is 03a01Fa."""
    match = NAME.fullmatch(stem)
    if match is None:
        return stem
    return match["speaker"] + match["sentence"].lower() + match["emotion"].upper() + match["version"].lower()


def _sentence(stem: str) -> str | None:
    match = NAME.fullmatch(stem)
    return None if match is None else match["sentence"].lower()

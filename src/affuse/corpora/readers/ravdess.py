"""RAVDESS (Livingstone & Russo, PLoS ONE 2018): 24 actors speaking and singing two sentences in 8 emotions.

A file's name is seven numbers: modality (01 audio and video, 02 video only, 03 audio only), vocal channel
(01 speech, 02 song), emotion, intensity, statement, repetition, actor. The files of one take differ in the
first number alone; they become one utterance here, whose id is the other six.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from affuse.corpora.corpus import Corpus
from affuse.corpora.corpus_files import writes_corpus
from affuse.corpora.labels import choose, label_spaces, normalise_gender
from affuse.corpora.readers.release import (
    AUDIO,
    VIDEO,
    check_folder,
    first_of_each,
    media_files,
    note_of,
    note_of_counts,
    read_listing,
    split_by_name,
)
from affuse.corpora.schema import CorpusInfo
from affuse.corpora.vocabulary import canonical, codes
from affuse.errors import AffuseError
from affuse.files import replacing
from affuse.files.names import written
from affuse.names import counted

LISTING = "utterances.csv"
ACTION_UNITS = "face_action_units.npz"
Vocal = Literal["speech", "song", "both"]

EMOTIONS = codes("ravdess")
VOCAL = {"01": "speech", "02": "song"}
INTENSITY = {"01": "normal", "02": "strong"}
STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
PUBLISHED: dict[Vocal, dict[str, int]] = {
    "speech": {label: 96 if label == "neutral" else 192 for label in EMOTIONS.values()},
    # 23 actors sing (actor 18 does not), and nobody sings disgust or surprise
    "song": {
        label: 92 if label == "neutral" else 184
        for label in ("neutral", "calm", "happiness", "sadness", "anger", "fear")
    },
}
NAME = re.compile(
    r"(?P<modality>0[123])-(?P<take>(?P<vocal>0[12])-(?P<emotion>0[1-8])-(?P<intensity>0[12])"
    r"-(?P<statement>0[12])-(?P<repetition>0[12])-(?P<actor>0[1-9]|1\d|2[0-4]))"
)


@writes_corpus("features/au.npy")
def prepare(
    source: str | Path,
    out: str | Path,
    *,
    vocal: Annotated[Vocal, Field(description="which recordings")] = "speech",
    emotions: Annotated[
        Sequence[str] | None, Field(description="keep only these (default: all eight)")
    ] = None,
) -> Corpus:
    """RAVDESS: its files at any folder depth (wav, flac, mp4), or the CSV beside them.

    A take's sound is its audio-only file or, without one, the sound track of its audio-video mp4; its picture
    is that mp4 or the video-only one. Beside the usual columns the table has ``vocal``, ``intensity``,
    ``statement`` and ``repetition``. Where ``face_action_units.npz`` (``key`` (n,), ``au`` (n, width)) lies
    in ``source``, a column ``features_au`` refers to its rows, written to ``features/au.npy`` in the corpus
    folder.

    Args:
        source: The folder that holds the release, with ``utterances.csv`` or without.
        out: The corpus folder to write.
        vocal: "speech", "song" or "both".
        emotions: Keep only these; None: all eight.

    Raises:
        AffuseError: The folder holds no RAVDESS file, or none that is wanted.
    """
    source, out = check_folder(source, "RAVDESS"), Path(out)
    if vocal not in ("speech", "song", "both"):
        raise AffuseError(f"vocal: {vocal!r} is not one of speech, song, both.")
    listing = source / LISTING
    table, notes = _from_listing(listing) if listing.is_file() else _from_names(source)
    if vocal != "both":
        table = _keep(table, table["vocal"] == vocal, f"vocal: {vocal}", source)
        notes += note_of_counts(table, PUBLISHED[vocal], f"RAVDESS {vocal}")
    wanted = choose(emotions, list(EMOTIONS.values()), "RAVDESS")
    if emotions is not None:
        table = _keep(table, table["emotion"].isin(wanted), f"emotions: {', '.join(wanted)}", source)
        notes.append(f"only these emotions were kept: {', '.join(wanted)}")
    if (source / ACTION_UNITS).is_file():
        table["features_au"], au_notes = _write_action_units(table["id"], source / ACTION_UNITS, out)
        notes += au_notes
    known = [*wanted, *sorted(set(table["emotion"].dropna()) - set(wanted))]
    info = CorpusInfo(
        name="ravdess",
        source=str(source),
        licence="CC BY-NC-SA 4.0 (non-commercial)",
        language="en",
        media_root=str(source),
        label_spaces=label_spaces(table, known),
        notes=[*notes, "two fixed sentences: the words carry no emotion"],
    )
    return Corpus(table, info).save(out)


def _keep(table: pd.DataFrame, rows: pd.Series, option: str, source: Path) -> pd.DataFrame:
    if not rows.any():
        raise AffuseError(f"{source} has no RAVDESS utterance left with {option}; ask for another.")
    return table[rows].reset_index(drop=True)


def _from_names(source: Path) -> tuple[pd.DataFrame, list[str]]:
    files = media_files(source, (*AUDIO, *VIDEO))
    named, odd = split_by_name(files, NAME)
    if not named:
        raise AffuseError(
            f"{source} holds no RAVDESS recording: looked at any depth for wav, flac or mp4 files named like "
            f"03-01-05-01-02-01-12.wav, or for {LISTING} ({len(files)} media files have other names); give "
            "the folder that holds 'Actor_01'."
        )
    kept, duplicates = first_of_each(named, lambda path: f"{_kind(path)} {path.stem}")
    takes: dict[str, dict[str, str]] = {}
    for path in kept:
        match = NAME.fullmatch(path.stem)
        assert match is not None
        takes.setdefault(match["take"], {})[f"{_kind(path)} {match['modality']}"] = written(path.as_posix())
    rows = [
        {
            **_fields(take),
            "audio": _first(files, "sound 03", "sound 01", "picture 01"),
            "video": _first(files, "picture 01", "picture 02"),
            "label_source": "file name",
        }
        for take, files in sorted(takes.items())
    ]
    notes = [
        *note_of(odd, "their names are not RAVDESS's"),
        *note_of(duplicates, "another file has the same name"),
    ]
    return pd.DataFrame(rows), notes


def _kind(path: Path) -> str:
    """Some copies hold the sound of the audio-video file as 01-....wav beside it."""
    return "picture" if path.suffix.lower() in VIDEO else "sound"


def _first(files: dict[str, str], *kinds: str) -> str | None:
    return next((files[kind] for kind in kinds if kind in files), None)


def _fields(take: str) -> dict[str, Any]:
    """What the six numbers of a take say."""
    vocal, emotion, intensity, statement, repetition, actor = take.split("-")
    return {
        "id": take,
        "text": STATEMENTS[statement],
        "speaker": actor,
        "gender": "male" if int(actor) % 2 else "female",
        "emotion": EMOTIONS[emotion],
        "emotion_raw": emotion,
        "vocal": VOCAL[vocal],
        "intensity": INTENSITY[intensity],
        "statement": statement,
        "repetition": repetition,
    }


def _from_listing(path: Path) -> tuple[pd.DataFrame, list[str]]:
    listed = read_listing(path, ["file", "emotion", "speaker", "gender", "text"])
    rows, odd, twice = [], [], []
    seen: set[str] = set()
    for row in listed.to_dict("records"):
        match = NAME.fullmatch(Path(row["file"]).stem)
        if match is None:
            odd.append(row["file"])
        elif match["take"] in seen:
            twice.append(row["file"])
        else:
            seen.add(match["take"])
            rows.append(
                {
                    **_fields(match["take"]),
                    "audio": row["file"],
                    "text": row["text"],
                    "speaker": row["speaker"],
                    "gender": row["gender"],
                    "emotion": canonical(row["emotion"]) or row["emotion"],
                    "emotion_raw": row["emotion"],
                    "label_source": LISTING,
                }
            )
    if not rows:
        raise AffuseError(
            f"{path}: none of its {len(listed)} files is named like 03-01-05-01-02-01-12.wav; "
            "use 'affuse prepare csv' for a table of your own."
        )
    table = pd.DataFrame(rows)
    table["gender"] = normalise_gender(table["gender"])
    notes = [
        *note_of(odd, f"their names in {LISTING} are not RAVDESS's"),
        *note_of(twice, f"the same take is listed twice in {LISTING}"),
    ]
    return table, notes


def _write_action_units(takes: pd.Series, path: Path, out: Path) -> tuple[pd.Series, list[str]]:
    """Write the takes' rows, in table order, to ``features/au.npy``; return the references to them.

    The keys are names of audio-video files, so a take's key is ``01-`` and the take.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            keys, units = arrays["key"], arrays["au"]
    except (OSError, ValueError, KeyError) as error:
        raise AffuseError(f"{path} must hold the arrays 'key' and 'au' ({error}).") from None
    if units.ndim != 2 or keys.shape != units.shape[:1]:
        raise AffuseError(f"{path}: 'key' {keys.shape} and 'au' {units.shape} must be (n,) and (n, width).")
    row_of_key = {key: row for row, key in enumerate(keys.tolist())}
    rows = [row_of_key.get(f"01-{take}") for take in takes]
    with replacing(out / "features" / "au.npy") as temporary:
        np.save(temporary, units[[row for row in rows if row is not None]])
    references, written = [], 0
    for row in rows:
        references.append(None if row is None else f"features/au.npy#{written}")
        written += row is not None
    missing = [take for take, row in zip(takes, rows, strict=True) if row is None]
    notes = [
        f"{counted(len(missing), 'utterance')} without a row in {ACTION_UNITS}: {', '.join(missing[:5])}"
    ]
    return pd.Series(references, index=takes.index, dtype="string"), notes if missing else []

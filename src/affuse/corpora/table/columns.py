"""Which column of a user's table is which: as the options say, by its name, or by one of the usual names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import pandas as pd

from affuse.corpora.schema import COLUMNS, FEATURE_PREFIX, NUMBER_COLUMNS, PATH_COLUMNS, VOTES_PREFIX
from affuse.errors import AffuseError, argument
from affuse.names import alike, listed
from affuse.parts.registry import unknown
from affuse.tables import NumberedTable

_NEARLY = 0.8  # likeness of two names from which one is taken for the other, misspelt
# Column of the corpus -> names that people give it, without blanks, signs and case.
_PATHS = "file filename filepath path media mediafile mediapath clip clipname clippath recording relativepath"
USUAL_NAMES = {
    "id": "utteranceid uttid segmentid clipid sampleid itemid",
    "audio": f"{_PATHS} wav wavfile wavpath wavname audiofile audiopath audiofilename audioname sound soundfile flac",
    "video": f"{_PATHS} videofile videopath videofilename videoname videoclip mp4 movie film",
    "text": "transcript transcription transcripts sentence utterance words transcribedtext spokentext",
    "speaker": "speakerid speakername spk spkid spkr actor actorid subject subjectid participant participantid talker",
    "gender": "sex speakergender speakersex actorgender actorsex",
    "emotion": "emotions emo label labels class category emotionlabel emotionclass emotionname emolabel",
    "session": "sessionid sess",
    "dialog": "dialogid dialogue dialogueid conversation conversationid",
    "start": "starttime startsec startseconds starts begin begintime onset",
    "end": "endtime endsec endseconds stop stoptime ends",
    "valence": "pleasure",
    "arousal": "activation",
    "dominance": "",
}
_AUDIO = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".wma", ".sph", ".au")
_VIDEO = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".mpg", ".mpeg", ".m4v", ".flv", ".wmv")


@dataclass(frozen=True)
class NamedColumns:
    """A table under the corpus's own column names.

    Args:
        table: The rows, the corpus's columns first.
        named: The table's own names that became other ones.
        remarks: What was guessed, and what looks like a slip, in sentences.
    """

    table: NumberedTable
    named: tuple[str, ...]
    remarks: tuple[str, ...]


def name_columns(numbered: NumberedTable, given: Mapping[str, str]) -> NamedColumns:
    """Give a table the corpus's column names.

    Args:
        numbered: The table as it was read.
        given: Column of the corpus -> the table's own name for it; "": the table has none.

    Raises:
        AffuseError: The table has no such column, or several columns bear a usual name of one of ours.
    """
    for ours, theirs in given.items():
        if theirs:
            numbered.check_read(theirs)
        if theirs and theirs not in numbered.table.columns:
            known = list(numbered.table.columns)
            raise AffuseError(f"{ours}: {unknown(theirs, known, f'columns of {numbered.path}')}.")
    guessed = _guess(numbered, given)
    names = {**{ours: theirs for ours, theirs in given.items() if theirs}, **guessed}
    absent = [ours for ours, theirs in given.items() if not theirs]
    remarks = [_said(guessed)] if guessed else []
    for ours in given:
        close = get_close_matches(ours, COLUMNS, n=1, cutoff=_NEARLY)
        if ours not in COLUMNS and close and not ours.startswith(FEATURE_PREFIX):
            remarks.append(f"The column {ours!r} is an extra one; did you mean {close[0]!r}?")
    made = _renamed(numbered, names, absent)
    for name in made.table.columns:
        close = get_close_matches(name.lower(), COLUMNS, n=1, cutoff=_NEARLY)
        if (
            name not in COLUMNS
            and name not in given
            and close
            and close[0] not in {*made.table.columns, *given}
        ):
            remarks.append(f"The column {name!r} was kept as an extra one; did you mean {close[0]!r}?")
    remarks += _missed(made.table, absent)
    return NamedColumns(made, tuple(names.values()), tuple(remarks))


def _renamed(numbered: NumberedTable, names: Mapping[str, str], absent: Iterable[str]) -> NumberedTable:
    table = numbered.table
    taken = {ours: table[theirs] for ours, theirs in names.items()}
    written = {ours: numbered.written[theirs] for ours, theirs in names.items()}
    # a column of theirs that has one of our names but was renamed away must not come through by accident
    rest = table.drop(columns=list({*names.values(), *names, *absent} & set(table.columns)))
    made = pd.DataFrame({**taken, **rest}, index=table.index)
    raw = pd.DataFrame({**written, **numbered.written[list(rest.columns)]}, index=table.index)
    for name in made.columns:
        if name in PATH_COLUMNS or name.startswith(FEATURE_PREFIX):
            made[name] = raw[name]
    return numbered.renamed(made, raw)


def _guess(numbered: NumberedTable, given: Mapping[str, str]) -> dict[str, str]:
    """Column of the corpus -> the one column that bears a usual name for it and holds what it holds."""
    table = numbered.table
    free = [name for name in table.columns if name not in {*COLUMNS, *given.values()}]
    found: dict[str, str] = {}
    for ours, usual in USUAL_NAMES.items():
        if ours in given or ours in table.columns:
            continue
        same = [name for name in free if _plain(name) == ours]
        candidates = same or [name for name in free if _plain(name) in usual.split()]
        candidates = [name for name in candidates if _fits(ours, table[name], same=bool(same))]
        if len(candidates) > 1:
            raise AffuseError(
                f"{numbered.path} has the columns {listed(map(repr, candidates))}, and each may be {ours}; "
                f"name the one to take: {argument('columns', {ours: candidates[0]})}."
            )
        if candidates:
            found[ours] = candidates[0]
    return found


def _fits(ours: str, cells: pd.Series, same: bool) -> bool:
    """Whether the cells may be what the column's name says. ``same``: it has our own name, in other letters."""
    known = cells.dropna()
    if known.empty:
        return False
    if ours in PATH_COLUMNS:
        suffixes = known.str.lower().str.rpartition(".")[2].radd(".")
        films = suffixes.isin(_VIDEO).mean()
        return bool(films > 0.5 if ours == "video" else suffixes.isin((*_AUDIO, *_VIDEO)).mean() > 0.5)
    if ours in NUMBER_COLUMNS:
        return bool(pd.to_numeric(known, errors="coerce").notna().all())
    if ours == "id":
        return bool(cells.notna().all() and cells.is_unique)
    if ours == "text" and not same:
        return bool(known.str.contains(" ", regex=False).any())
    return True


def _missed(table: pd.DataFrame, absent: Iterable[str]) -> list[str]:
    """A sentence where labels or speakers were not found, though a column under another name may hold them."""
    voted = any(name.startswith(VOTES_PREFIX) for name in table.columns)  # votes label what is not labelled
    wanted = ("speaker",) if voted else ("emotion", "speaker")
    missing = [ours for ours in wanted if ours not in {*table.columns, *absent}]
    others = [
        str(name)
        for name in table.columns
        if name not in COLUMNS
        and not name.startswith((FEATURE_PREFIX, VOTES_PREFIX))
        and not get_close_matches(
            str(name).lower(), COLUMNS, n=1, cutoff=_NEARLY
        )  # said by a sentence of its own
    ]
    if not missing or not others:
        return []
    return [
        f"No column was found for {' and '.join(missing)}; the table also has {listed(map(repr, others))}. If one of "
        f"them holds the {missing[0]}, say {argument('columns', {missing[0]: 'COLUMN'})}."
    ]


def _said(guessed: Mapping[str, str]) -> str:
    names = ", ".join(f"{ours} is {theirs!r}" for ours, theirs in guessed.items())
    first = next(iter(guessed))
    return (
        f"Columns were taken by their usual names: {names}; to take another, say "
        f"{argument('columns', {first: 'COLUMN'})}."
    )


def _plain(name: str) -> str:
    return "".join(sign for sign in alike(name) if sign.isalnum())

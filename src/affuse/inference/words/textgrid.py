"""Praat's TextGrid, as people and forced aligners write it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from affuse.errors import AffuseError
from affuse.inference.words.cues import Cue, Times, Word, phrases, timed
from affuse.inference.words.spoken import said, said_text

# aligners' marks for no word (MFA, MAUS, WebMAUS)
_SILENT = frozenset({"", "sil", "sp", "spn", "<eps>", "<sil>", "<p:>", "<usb>", "<nib>", "#"})
_WORDS = ("word", "ort-mau", "wrd")  # tiers of words: MFA's "words" and "Anna - words", MAUS's "ORT-MAU"
_TEXTS = ("text", "transcript", "utterance", "sentence", "orthograph", "phrase", "speech", "trn")


def read_textgrid(path: Path, text: str) -> list[Cue]:
    """The words of its tiers of words; without such a tier those of its transcription, or of its only tier.

    Raises:
        AffuseError: If it cannot be read, or if no tier is the one.
    """
    from praatio.utilities.errors import PraatioException
    from praatio.utilities.textgrid_io import parseTextgridStr

    try:
        tiers = [tier for tier in parseTextgridStr(text)["tiers"] if tier["class"] == "IntervalTier"]
        named = [(str(tier["name"]), list(tier["entries"])) for tier in tiers]
    except (PraatioException, ValueError, IndexError, KeyError, TypeError) as error:
        raise AffuseError(
            f"{path} cannot be read as a TextGrid ({' '.join(str(error).split())}); save it in Praat again."
        ) from None
    for marks in (_WORDS, _TEXTS):
        chosen = [one for one in named if any(mark in one[0].lower() for mark in marks)]
        if chosen:
            break
    else:
        chosen = named
        if len(named) > 1:
            raise AffuseError(
                f"{path} has the tiers {', '.join(name for name, _ in named)}; call the one of the words 'words'."
            )
    if not chosen:
        raise AffuseError(f"{path} has no tier of intervals; the words need their times.")
    cues: list[Cue] = []
    for name, entries in chosen:
        cues += _cues(f"{path}, tier {name}", entries, any(mark in name.lower() for mark in _WORDS))
    return cues


def _cues(where: str, entries: list[Any], words: bool) -> list[Cue]:
    spoken = [
        (Times.of(f"{where}, interval {i}", start, end), " ".join(str(label).split()))
        for i, (start, end, label) in enumerate(entries, start=1)
        if str(label).strip().lower() not in _SILENT
    ]
    if not words:
        return timed([Cue(*times, said_text(label)) for times, label in spoken])
    kept = said([label for _, label in spoken])
    return phrases(
        Word(times.start, times.start if times.end is None else times.end, one)
        for (times, _), one in zip(spoken, kept, strict=True)
        if one
    )

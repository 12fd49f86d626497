"""Names of a corpus that are easily two where one is meant: other spellings of a name, and words that mean nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from affuse.names import BLANK_WORDS, counted, listed, quote, spellings

GROUPS = ("speaker", "session", "dialog")
LABELS = ("emotion", "gender")


def alike_notes(table: pd.DataFrame, tasks: Sequence[str] = ()) -> list[str]:
    """Write a sentence per column of names or labels in which some differ in case, blanks or Unicode form alone."""
    notes = []
    for column in _columns(table, tasks):
        counts = table[column].dropna().astype(str).value_counts()
        groups = spellings(map(str, counts.index))
        if groups:
            shown = [
                " and ".join(f"{quote(name)} ({counted(counts[name], 'row')})" for name in group)
                for group in groups
            ]
            cure = (
                "splits keep them on one side; write them alike if they are one"
                if column in GROUPS
                else "they are labels of their own; map one to the other if they are one"
            )
            notes.append(f"{column}: {listed(shown, 5)} differ in case, blanks or form alone; {cure}")
    return notes


def blank_word_notes(table: pd.DataFrame, tasks: Sequence[str] = ()) -> list[str]:
    """Write a sentence per column in which a name or label is a word that programs write for nothing: nan, NA."""
    notes = []
    for column in _columns(table, tasks):
        counts = table[column].dropna().astype(str).value_counts()
        for word in sorted(str(name) for name in counts.index if str(name).lower() in BLANK_WORDS):
            notes.append(
                f"{column}: {quote(word)} ({counted(counts[word], 'row')}) is kept as a name; leave the cells empty if "
                "it means that nothing is known"
            )
    return notes


def _columns(table: pd.DataFrame, tasks: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys((*GROUPS, *LABELS, *tasks)) if name in table.columns]

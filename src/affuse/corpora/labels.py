"""Label maps: renaming, merging (``exc`` -> ``hap``) and dropping labels, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.corpora.schema import GENDERS
from affuse.errors import AffuseError
from affuse.names import tidy
from affuse.registry import unknown

LabelMap = Mapping[str, str | None]
OTHERWISE = "*"  # a map's entry for every label it does not name

GENDER_SPELLINGS = {
    "f": "female",
    "female": "female",
    "m": "male",
    "male": "male",
}


def map_labels(labels: pd.Series, mapping: LabelMap) -> pd.Series:
    """Each label replaced by ``mapping``: a new name, or None (YAML: null) for blank.

    A label the map does not name keeps its name, unless the map has an entry ``"*"``, which then stands for
    it: ``{ang: ang, exc: hap, "*": null}``. Blank labels stay blank.
    """

    mapping = {tidy(name): None if other is None else tidy(other) for name, other in mapping.items()}

    def renamed(label: str) -> str | None:
        return mapping.get(label, mapping.get(OTHERWISE, label))

    return labels.astype("string").map(renamed, na_action="ignore").astype("string")


def normalise_gender(values: pd.Series) -> pd.Series:
    """``f``, ``F``, ``Female``, ``m``, ... as ``female`` and ``male``; any other spelling stays as it is."""
    text = values.astype("string").str.strip()
    return text.str.lower().map(GENDER_SPELLINGS, na_action="ignore").astype("string").fillna(text)


def relabel(corpus: Corpus, maps: Mapping[str, LabelMap], require: Sequence[str] = ()) -> Corpus:
    """A corpus with the label maps applied, task by task, to its table and its label spaces.

    maps:    task (a column) -> its map; see ``map_labels``
    require: tasks whose label every utterance must have: an utterance left blank in one of them is left out.
             Without it such utterances stay, since other tasks may still learn from them.

    Raises AffuseError where a task is no column of the table, or where nothing is left.
    """
    table = corpus.table.copy()
    spaces = dict(corpus.info.label_spaces)
    for task in (*maps, *require):
        if task not in table.columns:
            raise AffuseError(f"{unknown(task, list(table.columns), 'columns of ' + corpus.info.name)}.")
    for task, mapping in maps.items():
        table[task] = map_labels(table[task], mapping)
        if task in spaces:
            renamed = map_labels(pd.Series(spaces[task], dtype="string"), mapping)
            spaces[task] = list(dict.fromkeys(renamed.dropna()))
    table = table[with_labels(table, require)]
    if table.empty:
        raise AffuseError(
            f"{corpus.info.name}: no utterance is left after the label maps for {', '.join(maps)}; "
            "compare them with the labels in the table."
        )
    return Corpus(table, corpus.info.model_copy(update={"label_spaces": spaces}), corpus.folder)


def with_labels(table: pd.DataFrame, tasks: Sequence[str]) -> pd.Series:
    """(rows,) bool: True where every one of the tasks has a label."""
    return table[list(tasks)].notna().all(axis=1)


def choose(labels: Sequence[str] | None, known: Sequence[str], corpus: str) -> list[str]:
    """``labels`` in the order of ``known`` (all of them for None). Raises AffuseError on an unknown one."""
    if labels is None:
        return list(known)
    labels = [tidy(label) for label in labels]
    for label in labels:
        if label not in known:
            raise AffuseError(f"{unknown(label, list(known), f'emotions of {corpus}')}.")
    return [label for label in known if label in labels]


def label_spaces(table: pd.DataFrame, emotions: Sequence[str]) -> dict[str, list[str]]:
    """The label spaces of a corpus with ``emotion`` and ``gender``: the labels that occur, in a set order."""
    spaces = {"emotion": [label for label in emotions if (table["emotion"] == label).any()]}
    if table["gender"].notna().any():
        spaces["gender"] = list(GENDERS)
    return spaces

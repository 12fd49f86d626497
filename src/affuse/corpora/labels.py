"""Labels of a table: maps that rename, merge (``exc`` -> ``hap``) and drop them, spellings of gender, label spaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from affuse.corpora.schema import GENDERS
from affuse.corpora.vocabulary import canonical
from affuse.errors import AffuseError
from affuse.names import tidy
from affuse.parts.registry import unknown

LabelMap = Mapping[str, str | None]
OTHERWISE = "*"  # a map's entry for every label it does not name


def map_labels(labels: pd.Series, mapping: LabelMap) -> pd.Series:
    """Replace each label by its new name, or by blank (None; YAML: null).

    A label the map does not name keeps its name, unless the map has an entry ``"*"``, which then stands for it:
    ``{ang: ang, exc: hap, "*": null}``. Blank labels stay blank.
    """
    mapping = {tidy(name): None if other is None else tidy(other) for name, other in mapping.items()}

    def renamed(label: str) -> str | None:
        return mapping.get(label, mapping.get(OTHERWISE, label))

    return labels.astype("string").map(renamed, na_action="ignore").astype("string")


def normalise_gender(values: pd.Series) -> pd.Series:
    """Write ``f``, ``F``, ``Woman``, ``weiblich``, ``m``, ... as ``female`` and ``male``; the rest stays as it is."""
    text = values.astype("string").str.strip()
    return text.map(lambda one: canonical(one, "gender") or one, na_action="ignore").astype("string")


def with_labels(table: pd.DataFrame, tasks: Sequence[str]) -> pd.Series:
    """Find the rows that have a label of every task: (rows,) bool."""
    return table[list(tasks)].notna().all(axis=1)


def choose(labels: Sequence[str] | None, known: Sequence[str], corpus: str) -> list[str]:
    """Put ``labels`` (None: all), in any spelling, in the order of ``known``; AffuseError on an unknown one."""
    if labels is None:
        return list(known)
    labels = [tidy(label) for label in labels]
    labels = [label if label in known else canonical(label) or label for label in labels]
    for label in labels:
        if label not in known:
            raise AffuseError(f"{unknown(label, list(known), f'emotions of {corpus}')}.")
    return [label for label in known if label in labels]


def label_spaces(table: pd.DataFrame, emotions: Sequence[str]) -> dict[str, list[str]]:
    """List the labels of ``emotion`` and ``gender`` that occur, in a set order."""
    spaces = {"emotion": [label for label in emotions if (table["emotion"] == label).any()]}
    if table["gender"].notna().any():
        spaces["gender"] = list(GENDERS)
    return spaces

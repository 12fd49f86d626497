"""One vocabulary: the canonical name of an emotion or gender for every spelling of the field.

The table is data, ``vocabulary.yaml``; docs/vocabulary.md shows it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd

from affuse.errors import AffuseError
from affuse.files.yaml_text import read_yaml
from affuse.parts.registry import unknown

FILE = "vocabulary.yaml"


def canonical(label: str, task: str = "emotion") -> str | None:
    """The canonical name of a label, None where the vocabulary does not know it or it names no one emotion.

    Case, and blanks, hyphens and underscores for each other, do not count.

    Args:
        label: As a corpus or a public model writes it.
        task: "emotion" or "gender"; labels of other tasks are not known.

    Examples:
        >>> canonical("joy"), canonical("Freude"), canonical("ANG"), canonical("pleasant-surprise")
        ('happiness', 'happiness', 'anger', 'surprise')
        >>> canonical("W", "gender"), canonical("xxx"), canonical("W")
        ('female', None, None)
    """
    section = {"emotion": "spellings", "gender": "genders"}.get(task)
    return None if section is None else _names(section).get(folded(label))


def means_none(label: str) -> bool:
    """Whether a label says that there is no one emotion: other, xxx, no agreement."""
    return folded(label) in {folded(one) for one in _table()["none"]}


def code(scheme: str, value: str) -> str | None:
    """The canonical name of a corpus's own letter or number, None for one that it does not have.

    Raises:
        AffuseError: There is no such scheme.

    Examples:
        >>> code("ravdess", "05"), code("emodb", "W"), code("cremad", "X")
        ('anger', 'anger', None)
    """
    codes: dict[str, dict[str, str]] = _table()["codes"]
    if scheme not in codes:
        raise AffuseError(f"{unknown(scheme, list(codes), 'schemes of emotion codes')}.")
    return codes[scheme].get(value)


def codes(scheme: str) -> dict[str, str]:
    """Every code of a scheme -> its canonical name, in the table's order."""
    return dict(_table()["codes"][scheme])


def spellings() -> dict[str, list[str]]:
    """Canonical emotion -> the spellings that mean it, itself left out."""
    return {name: list(words) for name, words in _table()["spellings"].items()}


def canonical_names(labels: pd.Series) -> pd.Series:
    """Emotions by their canonical names; what the vocabulary does not know stays as it is."""
    return labels.astype("string").map(lambda one: canonical(one) or one, na_action="ignore").astype("string")


def translation(labels: Iterable[str], space: Sequence[str], task: str = "emotion") -> dict[str, str]:
    """Label -> the one of ``space`` that means the same, for labels that are written otherwise there.

    A label that ``space`` has, that is not known, or that two of ``space`` may mean is left out.

    Examples:
        >>> translation(["happy", "sad", "bliss", "neutral"], ["happiness", "sadness", "neutral"])
        {'happy': 'happiness', 'sad': 'sadness'}
    """
    meant: dict[str, list[str]] = {}
    for name in space:
        if (meaning := canonical(name, task)) is not None:
            meant.setdefault(meaning, []).append(name)
    found = {}
    for label in labels:
        names = meant.get(canonical(label, task) or "", [])
        if label not in space and len(names) == 1:
            found[label] = names[0]
    return found


def same_label(label: str, known: Sequence[str], task: str = "emotion") -> str | None:
    """The one of ``known`` that is this label, or alone means the same; None where there is none.

    Examples:
        >>> same_label("angry", ["anger", "neutral"]), same_label("bliss", ["anger", "neutral"])
        ('anger', None)
    """
    return label if label in known else translation([label], known, task).get(label)


def folded(label: str) -> str:
    """A label without its case, its accents' form and its kind of gap."""
    text = unicodedata.normalize("NFC", str(label)).casefold()
    return " ".join(text.replace("_", " ").replace("-", " ").split())


@cache
def _names(section: str) -> Mapping[str, str]:
    """Folded spelling -> canonical name."""
    return {folded(word): name for name, words in _table()[section].items() for word in (name, *words)}


@cache
def _table() -> dict[str, Any]:
    text = files("affuse.corpora").joinpath(FILE).read_text(encoding="utf-8")
    return read_yaml(text, FILE, ["spellings", "genders", "none", "codes"])

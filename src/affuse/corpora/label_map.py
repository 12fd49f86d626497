"""A user's map from the labels of a corpus to those of a model: a YAML file, or a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from affuse.corpora.labels import LabelMap
from affuse.errors import AffuseError, argument
from affuse.files.yaml_text import read_yaml_file
from affuse.names import quote, tidy

_FORM = "it maps labels of the corpus to labels of the model, or to null: 'joy: happiness'"


class NamedMap(NamedTuple):
    """pairs: label -> label, or None: left out; where: how the sentence of an error begins."""

    where: str
    pairs: LabelMap


def read_label_map(labels: Mapping[str, str | None] | str | Path) -> NamedMap:
    """Read a map of labels.

    Args:
        labels: A YAML file, or its content.

    Raises:
        AffuseError: The file is missing or empty, holds no mapping, or a label's value is no label.
    """
    values: object = labels
    where = argument("labels")
    if isinstance(labels, str | Path):
        where, values = str(labels), read_yaml_file(labels, ["*"])  # every label as it is written, be it `no`
    if not values:
        raise AffuseError(f"{where} is empty; {_FORM}.")
    if not isinstance(values, Mapping):
        raise AffuseError(f"{where} holds no mapping; {_FORM}.")
    pairs: dict[str, str | None] = {}
    for label, other in values.items():
        if not isinstance(label, str) or not (other is None or (isinstance(other, str) and other.strip())):
            raise AffuseError(f"{where}, {quote(label)}: {quote(other)} is no label; {_FORM}.")
        pairs[tidy(label)] = None if other is None else tidy(other)
    return NamedMap(where, pairs)

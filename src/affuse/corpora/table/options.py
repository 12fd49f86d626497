"""What may be said of a user's own table: which column is which, its labels, where its media are."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from affuse.corpora.schema import COLUMNS, first_problem
from affuse.corpora.vocabulary import canonical
from affuse.errors import AffuseError
from affuse.files.yaml_text import read_yaml_file
from affuse.names import listed, tidy
from affuse.parts.registry import unknown

# names of fields that are texts as they are written, such as `no`, `01` or `1.50`
_TEXTS = (
    *COLUMNS, "columns", "labels", "label_spaces", "votes", "require", "media_root", "name", "full_name", "licence",
    "language", "notes", "encoding",
)  # fmt: skip


class TableOptions(BaseModel):
    """What is known of a table: the keys of a YAML file, and the options of ``affuse prepare csv``.

    Every column of ``schema.COLUMNS`` is a key too: the table's own name for it (``emotion: Mood``). Without one the
    usual names are looked for; "" means that the table has no such column. Unknown keys are errors.
    """

    model_config = ConfigDict(extra="forbid")

    # column of the corpus -> the table's own name for it; also for columns beyond the usual ones
    columns: dict[str, str] = Field(default_factory=dict)
    # task -> its labels in order, or a map of its labels: {emotion: {ang: ang, exc: hap, xxx: null}}; null leaves the
    # label blank, "*" stands for every label not named
    labels: dict[str, list[str] | dict[str, str | None]] = Field(default_factory=dict)
    # task -> its labels in order, after the map; a task not named here takes the labels it finds, sorted
    label_spaces: dict[str, list[str]] = Field(default_factory=dict)
    # the task that the columns votes_<label> are of: how many raters gave each label; blank: emotion, if there are any
    votes: str = ""
    # emotions by the vocabulary's names, after the map; what the table says goes into emotion_raw
    canonical: bool = False
    # tasks whose label every utterance must have; others are left out (without it they stay, unlabelled)
    require: list[str] = Field(default_factory=list)
    media_root: str = (
        ""  # the folder that relative paths start from; blank: the table's, or the working folder
    )
    name: str = ""  # of the corpus; blank: the table's file name
    full_name: str = ""  # as results show it; blank: the name
    licence: str = ""
    language: str = ""
    generated: bool = False
    encoding: str = ""  # of a CSV file that is not UTF-8: cp1252, latin-1, ...
    notes: list[str] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _columns_by_name(cls, values: Any) -> Any:
        """``{emotion: Mood}`` is ``{columns: {emotion: Mood}}``."""
        if not isinstance(values, Mapping):
            return values
        rest = {key: value for key, value in values.items() if key not in COLUMNS}
        named = {key: value for key, value in values.items() if key in COLUMNS and value is not None}
        columns = rest.get("columns") or {}
        if named and isinstance(columns, Mapping):
            for key in named:
                if columns.get(key, named[key]) != named[key]:
                    raise ValueError(f"{key} is {named[key]!r} and columns.{key} {columns[key]!r}; give one")
            rest["columns"] = {**columns, **named}
        return rest

    @field_validator("encoding")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            return codecs.lookup(value).name if value else ""
        except LookupError:
            raise ValueError(f"{value!r} is no encoding; usual ones are cp1252, latin-1 and cp1250") from None

    @field_validator("columns", "labels", "label_spaces", "require")
    @classmethod
    def _tidy(cls, value: Any) -> Any:
        """As the table's own names are read."""
        if isinstance(value, dict):
            return {tidy(name): cls._tidy(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [tidy(name) for name in value]
        return tidy(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _orders(self) -> TableOptions:
        """Labels given as a list are a label space."""
        for task, labels in list(self.labels.items()):
            if isinstance(labels, list):
                if twice := [label for label in dict.fromkeys(labels) if labels.count(label) > 1]:
                    raise ValueError(f"labels.{task} names {listed(map(repr, twice))} twice; give each once")
                if self.label_spaces.get(task, labels) != labels:
                    raise ValueError(f"labels.{task} and label_spaces.{task} differ; give one")
                self.label_spaces[task] = labels
                del self.labels[task]
        if self.canonical and "emotion" in self.label_spaces:
            named = [canonical(label) or label for label in self.label_spaces["emotion"]]
            self.label_spaces["emotion"] = list(dict.fromkeys(named))
        return self

    @property
    def maps(self) -> dict[str, dict[str, str | None]]:
        """Task -> its label map."""
        return {task: labels for task, labels in self.labels.items() if isinstance(labels, dict)}


def table_options(options: str | Path | Mapping[str, Any] | None, **given: Any) -> TableOptions:
    """Check options.

    Args:
        options: A YAML file of ``TableOptions``, or its content.
        **given: Single options, which go before those of ``options``; None: not given.

    Raises:
        AffuseError: A key is unknown or a value wrong; the sentence names file and key.
    """
    where = "options"
    if isinstance(options, str | Path):
        where, values = str(options), read_yaml_file(options, _TEXTS)
    else:
        values = options
    keys = [*COLUMNS, *TableOptions.model_fields]
    if values is not None and not isinstance(values, Mapping):
        raise AffuseError(f"{where} holds no mapping of options; its keys are {', '.join(keys)}.")
    merged: dict[str, Any] = {**(values or {})}
    if merged.get("columns") and isinstance(merged["columns"], Mapping):
        # an option that is given on its own goes before the file's
        merged["columns"] = {
            key: value for key, value in merged["columns"].items() if given.get(str(key)) is None
        }
    for key, value in given.items():
        if value is None:
            continue
        before = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(before, Mapping)
        merged[key] = {**before, **value} if both and before else value
    for key in merged:
        if key not in keys:
            raise AffuseError(f"{where}: {unknown(str(key), keys, 'options of a table')}.")
    try:
        return TableOptions.model_validate(merged)
    except ValidationError as error:
        raise AffuseError(f"{where}: {first_problem(error)}.") from None

"""A corpus of the user's own: a CSV, TSV or parquet table with any subset of the corpus columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from affuse.corpora.corpus import Corpus, first_problem
from affuse.corpora.corpus_files import writes_corpus
from affuse.corpora.doubtful_names import alike_notes, blank_word_notes
from affuse.corpora.feature_references import is_reference, split_reference
from affuse.corpora.labels import OTHERWISE, map_labels, normalise_gender, with_labels
from affuse.corpora.readers.table_media import check_media_root, find_media
from affuse.corpora.schema import (
    COLUMNS,
    FEATURE_PREFIX,
    GENDERS,
    NUMBER_COLUMNS,
    PATH_COLUMNS,
    SIDES,
    CorpusInfo,
)
from affuse.errors import AffuseError
from affuse.files.names import find, written
from affuse.files.yaml_text import read_yaml_file
from affuse.names import listed, quote, tidy
from affuse.registry import unknown
from affuse.tables import NumberedTable, read_table

MODALITIES = ("audio", "video", "text")


class TableOptions(BaseModel):
    """The options file of ``affuse prepare csv``, in YAML. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid")

    # corpus column -> the table's own name for it: {emotion: label, audio: wav_path}
    columns: dict[str, str] = Field(default_factory=dict)
    # task -> its label map: {emotion: {ang: ang, exc: hap, xxx: null}}; null leaves the label blank, "*"
    # stands for every label not named
    labels: dict[str, dict[str, str | None]] = Field(default_factory=dict)
    # task -> its labels in order; a task not named here takes the labels it finds, sorted
    label_spaces: dict[str, list[str]] = Field(default_factory=dict)
    # tasks whose label every utterance must have; others are left out (without it they stay, unlabelled)
    require: list[str] = Field(default_factory=list)
    media_root: str = "."  # what audio and video paths start from; relative to the table's folder
    name: str = ""  # of the corpus; the table's file name if blank
    licence: str = ""
    language: str = ""
    generated: bool = False
    notes: list[str] = Field(default_factory=list)

    @field_validator("columns", "labels", "label_spaces", "require")
    @classmethod
    def _tidy(cls, value: Any) -> Any:
        """As the table's own names are read."""
        if isinstance(value, dict):
            return {tidy(name): cls._tidy(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [tidy(name) for name in value]
        return tidy(value) if isinstance(value, str) else value


# fields of the options whose values are names: text as it is written, be it `no`, `01` or `1.50`
_TEXTS = (
    "columns",
    "labels",
    "label_spaces",
    "require",
    "media_root",
    "name",
    "licence",
    "language",
    "notes",
)


@writes_corpus()
def prepare(
    source: str | Path, out: str | Path, options: str | Path | Mapping[str, Any] | TableOptions | None = None
) -> Corpus:
    """Read a user's own table into a corpus folder.

    source:  .csv (comma, semicolon or tab), .tsv (either may be gzipped) or .parquet, UTF-8, a header with any of
             ``schema.COLUMNS``; other columns are kept. A missing ``id`` is made from the media files' names.
             Names and labels are kept as they are written, in Unicode's composed form: ``nan``, ``NA`` and ``null``
             are labels like any other, and told
    options: a YAML file of ``TableOptions``, or its content

    A column ``features_<name>`` holds paths relative to the table (``array.npy``, ``array.npy#ROW``,
    ``arrays.npz#KEY``, ``arrays.npz#KEY#ROW``); they become absolute. Whether media exist and can be read is
    for ``affuse validate`` to say, row by row.

    Raises AffuseError naming the file, the row (as a spreadsheet counts: the header is row 1) and the column.
    """
    source = Path(source).absolute()
    chosen = _read_options(options)
    numbered = read_table(source)
    notes = [*chosen.notes, *numbered.notes]
    numbered, renamed = _rename(numbered, chosen)
    table = numbered.table
    notes += [*_misspelt([name for name in table.columns if name not in chosen.columns], table), *renamed]
    for name in (*COLUMNS, *(one for one in numbered.unread if one.startswith(FEATURE_PREFIX))):
        if name not in table.columns:
            numbered.check_read(name)
    if not any(name in table.columns for name in MODALITIES) and not _features(table):
        raise AffuseError(
            f"{source} has no column audio, video, text or features_<name>; it has "
            f"{listed(table.columns)}. Rename under 'columns:' in the options file."
        )
    for name in (*PATH_COLUMNS, *_features(table)):
        if name in table.columns:
            numbered.check_paths(name)
    for name in NUMBER_COLUMNS:
        if name in table.columns:
            table[name] = _numbers(numbered, name)
    _normalise_words(numbered)
    for task, mapping in chosen.labels.items():
        _check_task(table, task, source)
        notes += _unused_labels(table[task], task, mapping)
        table[task] = map_labels(table[task], mapping)
    spaces = _label_spaces(numbered, chosen)
    for name in _features(table):
        table[name] = _references(numbered, name)
    notes += _make_ids(numbered)

    for task in chosen.require:
        _check_task(table, task, source)
    labelled = with_labels(table, chosen.require)
    if not labelled.all():
        notes.append(f"{int((~labelled).sum())} rows left out, no label for {', '.join(chosen.require)}")
    if not labelled.any():
        raise AffuseError(f"{source}: no row has a label for {', '.join(chosen.require)} (require).")
    media_root = (source.parent / Path(chosen.media_root).expanduser()).resolve()
    notes += find_media(table, media_root)
    check_media_root(table, media_root, source)
    tasks = [task for task in spaces if task not in ("emotion", "gender")]
    notes += [*alike_notes(table, tasks), *blank_word_notes(table, tasks)]
    info = CorpusInfo(
        name=chosen.name or written(source.stem),
        generated=chosen.generated,
        source=str(source),
        licence=chosen.licence,
        language=chosen.language,
        media_root=str(media_root),
        label_spaces=spaces,
        notes=notes,
    )
    return Corpus(table[labelled], info).save(out)


def _read_options(options: str | Path | Mapping[str, Any] | TableOptions | None) -> TableOptions:
    if isinstance(options, TableOptions):
        return options
    where, values = "options", options
    if isinstance(options, (str, Path)):
        where, values = str(options), read_yaml_file(options, _TEXTS)
    if values is not None and not isinstance(values, Mapping):
        raise AffuseError(
            f"{where} holds no mapping of options; its keys are {', '.join(TableOptions.model_fields)}."
        )
    try:
        return TableOptions.model_validate({} if values is None else values)
    except ValidationError as error:
        raise AffuseError(
            f"{where}: {first_problem(error)}; its keys are {', '.join(TableOptions.model_fields)}."
        ) from None


def _rename(numbered: NumberedTable, options: TableOptions) -> tuple[NumberedTable, list[str]]:
    """The table with the corpus's own column names, and what is to be said of them."""
    table, notes = numbered.table, []
    taken, written = {}, {}
    for ours, theirs in options.columns.items():
        close = get_close_matches(ours, COLUMNS, n=1, cutoff=0.8)
        if ours not in COLUMNS and close and not ours.startswith(FEATURE_PREFIX):
            notes.append(f"columns.{ours} makes an extra column {ours!r}; did you mean {close[0]!r}?")
        numbered.check_read(theirs)
        if theirs not in table.columns:
            raise AffuseError(
                f"columns.{ours}: {unknown(theirs, list(table.columns), f'columns of {numbered.path}')}."
            )
        taken[ours], written[ours] = table[theirs], numbered.written[theirs]
    # a column of theirs that has one of our names but was renamed away must not come through by accident
    rest = table.drop(columns=list({*options.columns.values(), *options.columns} & set(table.columns)))
    made = pd.DataFrame({**taken, **rest})
    raw = pd.DataFrame({**written, **numbered.written[list(rest.columns)]})
    for name in made.columns:
        if name in PATH_COLUMNS or name.startswith(FEATURE_PREFIX):
            made[name] = raw[name]
    return numbered.renamed(made, raw), notes


def _misspelt(names: Sequence[str], table: pd.DataFrame) -> list[str]:
    """A note for each of these columns, none of them renamed, that is nearly one of ours that is missing."""
    notes = []
    for name in names:
        close = get_close_matches(name.lower(), COLUMNS, n=1, cutoff=0.8)
        if name not in COLUMNS and close and close[0] not in table.columns:
            notes.append(f"column {name!r} was kept as an extra column; did you mean {close[0]!r}?")
    return notes


def _unused_labels(labels: pd.Series, task: str, mapping: Mapping[str, str | None]) -> list[str]:
    """A note for each label of a map that no row has: a misspelt one would blank or keep labels unseen."""
    found = sorted(labels.dropna().astype(str).unique())
    return [
        f"labels.{task}: {unknown(name, found, 'labels of the table')}"
        for name in mapping
        if name != OTHERWISE and name not in found
    ]


def _features(table: pd.DataFrame) -> list[str]:
    return [name for name in table.columns if name.startswith(FEATURE_PREFIX)]


def _check_task(table: pd.DataFrame, task: str, source: Path) -> None:
    if task not in table.columns:
        raise AffuseError(f"{unknown(task, list(table.columns), f'columns of {source}')}.")


def _numbers(numbered: NumberedTable, name: str) -> pd.Series:
    raw = numbered.table[name]
    values = pd.to_numeric(raw, errors="coerce").astype("float64")
    unit = "a number of seconds" if name.endswith(("start", "end")) else "a number"
    for row in raw.index[raw.notna() & (values.isna() | values.abs().eq(math.inf))]:
        hint = "; write the decimals with a point" if "," in str(raw[row]) else ""
        raise numbered.error(row, name, f"{quote(raw[row])} is not {unit}{hint}")
    if blank := {"channel": "the mix of all", "track": "the first"}.get(name):
        for row in values.index[values.notna() & ((values < 0) | (values % 1 != 0))]:
            raise numbered.error(
                row,
                name,
                f"{quote(raw[row])} is not a {name}; they are whole numbers from 0 (blank: {blank})",
            )
    return values


def _normalise_words(numbered: NumberedTable) -> None:
    """Gender and side in the corpus's spelling."""
    table = numbered.table
    if "gender" in table.columns:
        table["gender"] = normalise_gender(table["gender"])
    if "side" in table.columns:
        table["side"] = table["side"].str.strip().str.lower()
        for row in table.index[table["side"].notna() & ~table["side"].isin(SIDES)]:
            raise numbered.error(row, "side", f"{quote(table['side'][row])} is not left, right or blank")


def _label_spaces(numbered: NumberedTable, options: TableOptions) -> dict[str, list[str]]:
    """Every task's labels; AffuseError at the first row whose label is not among them."""
    table = numbered.table
    tasks = dict.fromkeys(
        [*(name for name in ("emotion", "gender") if name in table.columns), *options.labels]
    )
    spaces: dict[str, list[str]] = {}
    for task in dict.fromkeys([*options.label_spaces, *tasks]):
        _check_task(table, task, numbered.path)
        used = table[task].dropna()
        found: list[str] = list(GENDERS) if task == "gender" else sorted(used.unique())
        space = options.label_spaces.get(task, found)
        for row in used.index[~used.isin(space)]:
            label = unknown(used[row], space, f"labels of {task!r}")
            raise numbered.error(row, task, f"{label}; map it under 'labels: {{{task}: ...}}' in the options")
        if len(used):
            spaces[task] = space
    return spaces


def _references(numbered: NumberedTable, name: str) -> pd.Series:
    """Feature references made absolute; nothing is opened."""
    raw = numbered.table[name]
    references = []
    for row, value in raw.items():
        if pd.isna(value):
            references.append(None)
            continue
        reference = split_reference(value, numbered.path.parent)
        if not is_reference(reference):
            raise numbered.error(
                row,
                name,
                f"{quote(value)} is not like array.npy, array.npy#ROW, arrays.npz#KEY or arrays.npz#KEY#ROW",
            )
        path = find((numbered.path.parent / reference.path).absolute())
        references.append(written("#".join([path.as_posix(), *reference.inside])))
    return pd.Series(references, index=raw.index, dtype="string")


def _make_ids(numbered: NumberedTable) -> list[str]:
    """Ids checked, or made from the media files' names (row numbers where those do not tell rows apart)."""
    table = numbered.table
    if "id" in table.columns:
        for row in table.index[table["id"].isna()]:
            raise numbered.error(row, "id", "it is blank; give every row its own id, or leave out the column")
        first: dict[str, object] = {}
        for row, value in table["id"].items():
            if value in first:
                raise numbered.error(
                    row,
                    "id",
                    f"{quote(value)} is also the id of row {numbered.row(first[value])}; ids must differ",
                )
            first[value] = row
        return []
    for name in ("audio", "video"):
        if name in table.columns:
            stems = table[name].map(lambda path: Path(path).stem, na_action="ignore")
            if stems.notna().all() and stems.is_unique:
                table["id"] = stems
                return [f"ids were made from the {name} files' names"]
    table["id"] = [f"row{numbered.row(row)}" for row in table.index]
    return ["ids were made from row numbers"]

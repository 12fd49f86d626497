"""The checks of a user's table, and what becomes of its cells in a corpus."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from affuse.corpora.doubtful_names import alike_notes, blank_word_notes
from affuse.corpora.feature_references import is_reference, split_reference
from affuse.corpora.labels import OTHERWISE, map_labels, normalise_gender, with_labels
from affuse.corpora.schema import (
    COLUMNS,
    FEATURE_PREFIX,
    GENDERS,
    NUMBER_COLUMNS,
    PATH_COLUMNS,
    SIDES,
    CorpusInfo,
)
from affuse.corpora.table.columns import name_columns
from affuse.corpora.table.ids import check_ids, make_ids
from affuse.corpora.table.media import check_media_root, find_media
from affuse.corpora.table.options import TableOptions
from affuse.corpora.table.votes import read_votes
from affuse.corpora.vocabulary import canonical, canonical_names
from affuse.errors import AffuseError, argument
from affuse.files.names import find, written
from affuse.names import counted, listed, quote
from affuse.parts.registry import unknown
from affuse.tables import NumberedTable

MODALITIES = ("audio", "video", "text")
_MANY = 50  # labels of one task that look like no labels


@dataclass(frozen=True)
class CheckedTable:
    """What a corpus is made of.

    Args:
        table: One row per utterance, under the corpus's column names.
        info: What is known about it.
        remarks: What was guessed, made or passed over, in sentences: said once, and not kept with the corpus.
        annotations: What raters said; None: the table has no votes.
    """

    table: pd.DataFrame
    info: CorpusInfo
    remarks: tuple[str, ...]
    annotations: pd.DataFrame | None = None


def check_table(numbered: NumberedTable, options: TableOptions, base: Path, name: str) -> CheckedTable:
    """Check a table row by row and give its cells the corpus's form.

    Whether media exist and can be read is for ``affuse validate`` to say, row by row.

    Args:
        numbered: The table as it was read.
        options: What is said of it.
        base: The folder that a relative ``media_root``, and the references of features, start from.
        name: Of the corpus where the options give none.

    Raises:
        AffuseError: Something is wrong; the sentence names table, row and column.
    """
    own = list(numbered.table.columns)
    named = name_columns(numbered, options.columns)
    remarks = [*numbered.notes, *named.remarks]
    numbered, table = named.table, named.table.table
    for column in (*COLUMNS, *(one for one in numbered.unread if one.startswith(FEATURE_PREFIX))):
        if column not in table.columns:
            numbered.check_read(column)
    if not any(column in table.columns for column in MODALITIES) and not _features(table):
        raise AffuseError(
            f"{numbered.path} has no column audio, video, text or features_<name>; it has {listed(own)}. "
            f"Say which column names the files: {argument('columns', {'audio': 'COLUMN'})}, and in the same way those "
            "of emotion, speaker, gender and text, where they have other names."
        )
    for column in (*PATH_COLUMNS, *_features(table)):
        if column in table.columns:
            numbered.check_paths(column)
    for column in NUMBER_COLUMNS:
        if column in table.columns:
            table[column] = _numbers(numbered, column)
    remarks += _durations(table)
    _normalise_words(numbered)
    voted = read_votes(numbered, options)
    if voted is not None:
        table, numbered, options = voted.table, voted.numbered, voted.options
        remarks += voted.remarks
    written_so = table["emotion"].copy() if "emotion" in table.columns else None
    for task, mapping in options.maps.items():
        if voted is not None and voted.made and task == voted.task:  # its labels are mapped already
            remarks += _unused_labels(pd.Series(voted.counts.columns), task, mapping)
            continue
        _check_task(table, task, numbered)
        remarks += _unused_labels(table[task], task, mapping)
        table[task] = map_labels(table[task], mapping)
    if options.canonical and written_so is not None:
        remarks += _canonical_emotions(table, written_so)
    spaces = _label_spaces(numbered, options)
    remarks += _many_labels(table, spaces)
    for column in _features(table):
        table[column] = _references(numbered, column, base)
    media_root = (base / Path(options.media_root).expanduser()).resolve()
    remarks += find_media(table, media_root)
    if "id" in table.columns:
        check_ids(numbered)
    else:
        table["id"], sentence = make_ids(table)
        remarks.append(sentence)
    notes = list(options.notes)
    for task in options.require:
        _check_task(table, task, numbered)
    labelled = with_labels(table, options.require)
    if not labelled.all():
        left_out = counted(int((~labelled).sum()), "row")
        notes.append(f"{left_out} left out, no label for {', '.join(options.require)}")
    if not labelled.any():
        raise AffuseError(f"{numbered.path}: no row has a label for {', '.join(options.require)} (require).")
    check_media_root(table, media_root, numbered.path)
    tasks = [task for task in spaces if task not in ("emotion", "gender")]
    notes += [*alike_notes(table, tasks), *blank_word_notes(table, tasks)]
    info = CorpusInfo(
        name=options.name or name,
        full_name=options.full_name,
        generated=options.generated,
        source=str(numbered.path) if numbered.labels is None else "",
        licence=options.licence,
        language=options.language,
        media_root=str(media_root),
        label_spaces=spaces,
        vote_labels={} if voted is None else voted.labels,
        notes=notes,
    )
    said = None if voted is None else voted.annotations(table[labelled])
    return CheckedTable(table[labelled], info, tuple(_sentence(one) for one in remarks), said)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text[:1].upper()}{text[1:]}."


def _features(table: pd.DataFrame) -> list[str]:
    return [name for name in table.columns if name.startswith(FEATURE_PREFIX)]


def _check_task(table: pd.DataFrame, task: str, numbered: NumberedTable) -> None:
    if task not in table.columns:
        raise AffuseError(f"{unknown(task, list(table.columns), f'columns of {numbered.path}')}.")


def _unused_labels(labels: pd.Series, task: str, mapping: Mapping[str, str | None]) -> list[str]:
    """A sentence for each label of a map that no row has: a misspelt one would blank or keep labels unseen."""
    found = sorted(labels.dropna().astype(str).unique())
    return [
        f"labels.{task}: {unknown(name, found, 'labels of the table')}."
        for name in mapping
        if name != OTHERWISE and name not in found
    ]


def _canonical_emotions(table: pd.DataFrame, written_so: pd.Series) -> list[str]:
    """Emotions by the vocabulary's names; what the table says goes into ``emotion_raw``, if it has no such column."""
    before = table["emotion"]
    table["emotion"] = canonical_names(before)
    if "emotion_raw" not in table.columns:
        table["emotion_raw"] = written_so
    renamed = {
        old: new for old, new in zip(before.dropna(), table["emotion"].dropna(), strict=True) if old != new
    }
    strange = sorted({label for label in table["emotion"].dropna() if canonical(label) is None})
    told = [
        f"Emotions by their canonical names: {', '.join(f'{a} is {b}' for a, b in sorted(renamed.items()))}"
    ]
    kept = (
        f"The vocabulary has no emotion {listed(map(repr, strange))}: kept; {argument('labels')} maps labels"
    )
    return [*(told if renamed else []), *([kept] if strange else [])]


def _many_labels(table: pd.DataFrame, spaces: Mapping[str, list[str]]) -> list[str]:
    return [
        f"The task {task} has {len(labels)} different labels in {counted(len(table), 'row')}; is it the right column?"
        for task, labels in spaces.items()
        if len(labels) > _MANY and len(labels) > len(table) / 4
    ]


def _durations(table: pd.DataFrame) -> list[str]:
    """Starts without ends reach to the end of the file, whatever another column calls a duration."""
    if "start" not in table.columns or "end" in table.columns or not (table["start"] > 0).any():
        return []
    lengths = [one for one in table.columns if one.lower() in ("duration", "dur", "length", "seconds")]
    more = f" The column {lengths[0]!r} is not read; add it to start and give the sum." if lengths else ""
    return [f"The table has start and no end: every clip goes on to the end of its file.{more}"]


def _numbers(numbered: NumberedTable, name: str) -> pd.Series:
    raw = numbered.table[name]
    values = pd.to_numeric(raw, errors="coerce").astype("float64")
    unit = "a number of seconds" if name.endswith(("start", "end")) else "a number"
    for row in raw.index[raw.notna() & (values.isna() | values.abs().eq(math.inf))]:
        hint = (
            "write the decimals with a point"
            if "," in str(raw[row])
            else "leave the cell blank if it is not known"
        )
        raise numbered.error(row, name, f"{quote(raw[row])} is not {unit}; {hint}")
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
    tasks = dict.fromkeys([*(name for name in ("emotion", "gender") if name in table.columns), *options.maps])
    spaces: dict[str, list[str]] = {}
    for task in dict.fromkeys([*options.label_spaces, *tasks]):
        _check_task(table, task, numbered)
        used = table[task].dropna()
        found: list[str] = list(GENDERS) if task == "gender" else sorted(used.unique())
        space = options.label_spaces.get(task, found)
        for row in used.index[~used.isin(space)]:
            label = unknown(used[row], space, f"labels of {task!r}")
            cure = argument("labels", {task: {str(used[row]): "..."}})
            raise numbered.error(row, task, f"{label}; map it: {cure}, or to null to leave it blank")
        if len(used):
            spaces[task] = space
    return spaces


def _references(numbered: NumberedTable, name: str, base: Path) -> pd.Series:
    """Feature references made absolute; nothing is opened."""
    raw = numbered.table[name]
    references: list[str | None] = []
    for row, value in raw.items():
        if pd.isna(value):
            references.append(None)
            continue
        reference = split_reference(value, base)
        if not is_reference(reference):
            raise numbered.error(
                row,
                name,
                f"{quote(value)} is not like array.npy, array.npy#ROW, arrays.npz#KEY or arrays.npz#KEY#ROW",
            )
        path = find((base / reference.path).absolute())
        references.append(written("#".join([path.as_posix(), *reference.inside])))
    return pd.Series(references, index=raw.index, dtype="string")

"""A data frame as a table of texts whose rows are named by its own index."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from affuse.errors import AffuseError
from affuse.names import quote, tidy
from affuse.tables.parquet import as_texts
from affuse.tables.reading import NumberedTable, notes_on_columns, texts_of

_CALLED = Path("DataFrame")  # what messages call it
_TEXTS = (str, int, float, bool, os.PathLike)


def read_frame(frame: object) -> NumberedTable:
    """Read a data frame as ``read_table`` reads a file with the same cells.

    Numbers become texts (7.0 is ``7``), paths too; null cells are blank. An index with a name is a column like any
    other. A column whose cells are no texts or numbers (arrays, lists, bytes) is not read.

    Raises:
        AffuseError: ``frame`` is no data frame, has no rows, or two columns of one name.
    """
    if not isinstance(frame, pd.DataFrame):
        raise AffuseError(
            f"A corpus is made from a pandas DataFrame, not from {quote(type(frame).__name__)}."
        )
    if isinstance(frame.columns, pd.MultiIndex):
        raise AffuseError("The DataFrame has columns of several levels; give each column one name.")
    columns: dict[str, pd.Series] = {}
    unread: dict[str, str] = {}
    labels = list(frame.index)
    cells = [(title, frame.iloc[:, position]) for position, title in enumerate(frame.columns)]
    cells += [
        (title, frame.index.get_level_values(level).to_series())
        for level, title in enumerate(frame.index.names)
        if title is not None
    ]
    for title, column in cells:
        name = tidy(str(title))
        if name in columns or name in unread:
            raise AffuseError(f"The DataFrame has the column {name!r} twice; rename one.")
        values = column.reset_index(drop=True)
        if problem := _unreadable(values):
            row, what = problem
            unread[name] = (
                f"index {quote(labels[row])}, {name}: it holds {what}, where a text, number or path is read"
            )
        else:
            columns[name] = as_texts(_plain(values))
    raw = pd.DataFrame(columns, index=pd.RangeIndex(len(frame)))
    table, written = texts_of(raw)
    if table.empty and not unread:
        raise AffuseError("The DataFrame has no rows; it needs one per utterance.")
    notes = notes_on_columns(list(table.columns), unread)
    return NumberedTable(_CALLED, table, 0, written, unread, tuple(notes), labels)


def _unreadable(values: pd.Series) -> tuple[int, str] | None:
    """The first cell that is no text, number or path, and what it holds."""
    if values.dtype != object:
        return None
    for row, value in enumerate(values):
        if not isinstance(value, _TEXTS) and not (
            pd.api.types.is_scalar(value) and not isinstance(value, bytes)
        ):
            return row, f"a value of type {type(value).__name__}"
    return None


def _plain(values: pd.Series) -> pd.Series:
    """Paths as texts; objects that are all numbers as numbers, and 1.0 beside texts as 1."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.astype(values.cat.categories.dtype)
    if values.dtype != object:
        return values
    plain = values.map(
        lambda cell: os.fspath(cell) if isinstance(cell, os.PathLike) else cell
    ).infer_objects()
    if plain.dtype != object:
        return plain
    return plain.map(lambda cell: int(cell) if isinstance(cell, float) and cell.is_integer() else cell)

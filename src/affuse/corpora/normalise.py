"""The form that every corpus's table has."""

from __future__ import annotations

import pandas as pd

from affuse.corpora.schema import COLUMNS, FEATURE_PREFIX, NUMBER_COLUMNS, PATH_COLUMNS
from affuse.errors import AffuseError
from affuse.files.names import written
from affuse.names import tidy


def normalise(table: pd.DataFrame) -> pd.DataFrame:
    """Put all of COLUMNS first; make text tidy strings, numbers floats, and empty strings blank."""
    table = table.reset_index(drop=True).copy()
    table = table.rename(columns=lambda name: tidy(str(name)))
    names = list(table.columns)
    for name in names:
        if names.count(name) > 1:
            raise AffuseError(f"The corpus has the column {name!r} twice; rename one.")
    for name in COLUMNS:
        if name not in table.columns:
            table[name] = None
    extra = [name for name in table.columns if name not in COLUMNS]
    for name in (*COLUMNS, *(n for n in extra if n.startswith(FEATURE_PREFIX))):
        if name in NUMBER_COLUMNS:
            table[name] = pd.to_numeric(table[name], errors="coerce").astype("float64")
        else:
            column = table[name]
            if column.dtype == object:  # names with bytes that are no text, which no table keeps
                column = column.map(lambda cell: written(cell) if isinstance(cell, str) else cell)
            text = column.astype("string")
            if name == "text":
                text = text.str.normalize("NFC")
            elif name not in PATH_COLUMNS and name in COLUMNS:
                text = text.map(tidy, na_action="ignore").astype("string")
            table[name] = text.mask(text.str.strip() == "")
    for name in extra:  # other tasks' labels, groups to split by
        if not name.startswith(FEATURE_PREFIX) and pd.api.types.infer_dtype(table[name]) == "string":
            table[name] = table[name].map(tidy, na_action="ignore").astype(table[name].dtype)
    return table[[*COLUMNS, *extra]]

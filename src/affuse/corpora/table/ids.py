"""The ids of a user's table: checked, or made where there are none."""

from __future__ import annotations

from pathlib import PurePosixPath

import pandas as pd

from affuse.corpora.schema import PATH_COLUMNS
from affuse.tables import NumberedTable


def check_ids(numbered: NumberedTable) -> None:
    """Raise AffuseError naming the first row whose id is blank or another row's."""
    ids = numbered.table["id"]
    for row in ids.index[ids.isna()]:
        raise numbered.error(row, "id", "it is blank; give every row its own id, or leave out the column")
    for row in ids.index[ids.duplicated()]:
        first = ids.index[ids == ids[row]][0]
        other = numbered.place(first)
        raise numbered.error(row, "id", f"{ids[row]!r} is also the id of {other}; ids must differ")


def make_ids(table: pd.DataFrame) -> tuple[pd.Series, str]:
    """Ids for a table without them, and a sentence that says from what they were made.

    The names of the media files, with their folders where names are repeated, and with a number where a file has
    several rows; numbers alone where a row has no file.
    """
    for name in PATH_COLUMNS:
        if name not in table.columns or not table[name].notna().all():
            continue
        paths = [PurePosixPath(path).with_suffix("") for path in table[name]]
        stems = pd.Series([path.name for path in paths], index=table.index)
        files = f"the {name} files' names"
        if stems.is_unique:
            return stems, f"There was no column of ids; they were made from {files}."
        parts = ["_".join(part for part in path.parts if part not in ("/", "..")) for path in paths]
        folders = pd.Series(parts, index=table.index)
        if folders.is_unique:
            return folders, f"There was no column of ids; they were made from {files} and folders."
        stem_of = stems if table[name].nunique() == stems[~table[name].duplicated()].nunique() else folders
        numbers = stem_of + "_" + (stem_of.groupby(stem_of).cumcount() + 1).astype(str)
        if numbers.is_unique:
            return (
                numbers,
                f"There was no column of ids; they were made from {files}, numbered within each file.",
            )
    made = pd.Series([f"utterance{i + 1}" for i in range(len(table))], index=table.index)
    return made, "There was no column of ids; the rows were numbered."

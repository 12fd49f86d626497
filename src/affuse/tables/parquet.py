"""Parquet to columns of texts; columns whose cells are no texts (sound in bytes, lists) are named, never printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd

from affuse.errors import AffuseError
from affuse.names import tidy

_INDEX = re.compile(r"__index_level_\d+__")  # an index without a name, as pandas writes it
_WHOLE = 2**53  # above it not every whole number has a float


def read_parquet(path: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read a parquet file.

    An index with a name is a column like any other. A column of {bytes, path} as the Hub's datasets write it is read
    where it has paths alone.

    Returns:
        The columns of texts (null: blank), and for every other column what its first cell holds, in a sentence.

    Raises:
        AffuseError: The file is damaged, or has a column twice.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise AffuseError(f"{path} cannot be read as parquet ({_short(error)}).") from None
    columns: dict[str, pd.Series] = {}
    unread: dict[str, str] = {}
    for name, column in zip(found.column_names, found.columns, strict=True):
        if _INDEX.fullmatch(name):
            continue
        name = tidy(name)
        if name in columns or name in unread:
            raise AffuseError(f"{path} has the column {name!r} twice; rename one.")
        kind = column.type
        if pa.types.is_dictionary(kind):
            column, kind = column.cast(kind.value_type), kind.value_type
        problem = ""
        if pa.types.is_struct(kind) and {"bytes", "path"} <= {
            kind.field(i).name for i in range(kind.num_fields)
        }:
            column, problem = _paths(name, column)
        elif pa.types.is_nested(kind):
            problem = (
                f"row {_first(column)}, {name}: it holds {_kind_of(kind)}, where a text or number is read"
            )
        elif (
            pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
        ):
            column, problem = _decoded(name, column)
        if problem:
            unread[name] = problem
        else:
            columns[name] = as_texts(column.to_pandas())
    return pd.DataFrame(columns, index=pd.RangeIndex(found.num_rows)), unread


def _paths(name: str, column: Any) -> tuple[Any, str]:
    import pyarrow.compute as pc

    data = pc.struct_field(column, "bytes")  # type: ignore[attr-defined]
    if data.null_count == len(data):
        return pc.struct_field(column, "path"), ""  # type: ignore[attr-defined]
    return column, (
        f"row {_first(data)}, {name}: it holds a file's bytes ({{bytes, path}}, as the Hub's datasets have it), not "
        "the path of one; write the files out and give their paths"
    )


def _decoded(name: str, column: Any) -> tuple[Any, str]:
    """Texts that were written as bytes; a sound or a picture is none."""
    import pyarrow as pa

    try:
        texts = column.cast(pa.string())
        if not any("\0" in one for one in texts.drop_null().to_pylist()):
            return texts, ""
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    return column, f"row {_first(column)}, {name}: it holds bytes, where a text or number is read"


def as_texts(values: pd.Series) -> pd.Series:
    """Write cells as strings; whole numbers lose a float's '.0'."""
    if pd.api.types.is_float_dtype(values):
        known = values.dropna()
        if known.mod(1).eq(0).all() and known.abs().lt(_WHOLE).all():
            values = values.astype("Int64")
    return values.astype("string").reset_index(drop=True)


def _first(column: Any) -> int:
    """The first row that is not null, counted from 1."""
    valid = column.is_valid().to_pylist()
    return valid.index(True) + 1 if True in valid else 1


def _kind_of(kind: Any) -> str:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return f"the fields {', '.join(kind.field(i).name for i in range(min(5, kind.num_fields)))}"
    return "pairs" if pa.types.is_map(kind) else "a list"


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:197]}..."

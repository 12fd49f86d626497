"""The ratings that a regression learns: a column of numbers of the corpus, checked against its range."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from affuse.errors import AffuseError
from affuse.names import quote
from affuse.parts.registry import unknown
from affuse.recipe.dimension import Dimension

THIRDS = ["low", "middle", "high"]
_IDS = ("start", "end", "video_start", "video_end", "channel", "track")  # numbers that say where a clip lies


def ratings_of(
    table: pd.DataFrame, task: str, dimension: Dimension, corpus: str, training: bool = True
) -> pd.Series:
    """The ratings of a task, one per row, NaN where there is none.

    Args:
        table: The corpus's.
        task: A column of numbers, or of texts that are numbers, as a column of a user's own table is.
        dimension: Its scale.
        corpus: What errors call the corpus.
        training: Whether something is to be learnt, for which two different ratings are needed; else the scale is that
            of a trained model.

    Raises:
        AffuseError: There is no such column, it holds text that is no number, a rating is out of range (the row is
            named), or all ratings are alike.
    """
    if task not in table.columns:
        numbers = [name for name in table.columns if is_numeric_dtype(table[name]) and name not in _IDS]
        raise AffuseError(
            f"{unknown(task, numbers or ['none'], 'columns of numbers')} of the corpus {corpus}; change the recipe's "
            "tasks, or prepare the corpus with that column."
        )
    found = _numbers(table, task, corpus)
    outside = found.notna() & ~found.between(dimension.low, dimension.high)
    if outside.any():
        row, rating = table[outside].iloc[0], found[outside].iloc[0]
        cure = f"tasks.{task}.range" if training else "bring the column to the scale of the model"
        raise AffuseError(
            f"tasks.{task}: utterance {row['id']} of {corpus} has {task} {rating:g}, which is outside of the range "
            f"from {dimension.low:g} to {dimension.high:g}; correct the row, or {cure}."
        )
    if training and found.nunique() < 2:
        only = (
            f"all rated utterances have {found.dropna().iloc[0]:g}"
            if found.notna().any()
            else "none is rated"
        )
        raise AffuseError(
            f"tasks.{task}: {only} in {corpus}; a regression needs at least two different ratings."
        )
    return found


def _numbers(table: pd.DataFrame, task: str, corpus: str) -> pd.Series:
    column = table[task]
    if is_bool_dtype(column):
        found = pd.Series(np.nan, index=table.index)
    elif is_numeric_dtype(column):
        return column.astype(float)
    else:
        found = pd.to_numeric(column, errors="coerce").astype(float)
    odd = column.notna() & found.isna()
    if odd.any():
        row = table[odd].iloc[0]
        cure = "leave kind out for classes, or choose another column"
        if pd.notna(pd.to_numeric(str(row[task]).replace(",", "."), errors="coerce")):
            cure = "write the decimals with a point"
        elif found.notna().any():
            cure = "correct the cell; it stays blank where there is no rating"
        raise AffuseError(
            f"tasks.{task}: kind: regression needs a column of numbers, and utterance {row['id']} of {corpus} has "
            f"{quote(row[task])} there; {cure}."
        )
    return found


def thirds(ratings: pd.Series) -> pd.Series:
    """Low, middle or high of each rating, by rank, blank where there is none: what a split balances without classes."""
    place = ratings.rank(method="average", pct=True)
    return pd.Series(
        [None if pd.isna(one) else THIRDS[min(2, int(3 * one))] for one in place],
        index=ratings.index,
        dtype=object,
    )

"""``groups.csv``: every row's metrics by gender, dialog type and speaker, and the gaps between two groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from affuse.evaluation.groups import GROUPINGS, group_metrics, grouped
from affuse.evaluation.measures import Measure
from affuse.reports.tables.rows import Row, uncounted


def group_table(
    rows: Sequence[Row],
    measure: Measure,
    utterances: pd.DataFrame,
    advance: Callable[[], None] = uncounted,
) -> pd.DataFrame:
    """Lines of ``groups.grouped`` by gender and dialog type, and of ``group_metrics`` by speaker.

    utterances: indexed by id, with the columns of ``utterances.csv``; a grouping whose column is absent or has
    one value is left out, as is gender for the task gender.
    """
    parts = []
    for row in rows:
        advance()
        tables = row.tables(measure)
        if not tables:
            continue
        about = row.settings | {"task": measure.task, "stamp": row.stamp, "on_test": row.on_test}
        tested = set(tables[0]["id"])
        for column, title in {**GROUPINGS, "speaker": "speaker"}.items():
            if column not in utterances.columns or column == measure.task:
                continue
            groups = utterances.loc[utterances.index.isin(list(tested)), column].dropna().astype(str)
            names = sorted(groups.unique())
            if len(names) < 2:
                continue
            if column == "speaker":
                found = group_metrics(measure, tables, groups, utterances["speaker"])
            else:
                found = grouped(measure, tables, groups, utterances["speaker"])
            parts.append(found.assign(**{**about, "grouping": title}))
    if not parts:
        return pd.DataFrame()
    table = pd.concat(parts, ignore_index=True)
    own = ["group", "metric", "value", "low", "high", "p", "n", "speakers"]
    first = [name for name in table.columns if name not in own]
    return table.reindex(columns=[*first, *own])

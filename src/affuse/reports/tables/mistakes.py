"""``mistakes.csv``: the test utterances that rows get wrong, and how sure they are of it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from affuse.evaluation.measures import ClassMeasure
from affuse.reports.tables.rows import Row


def mistakes(rows: Sequence[Row], task: str, space: Sequence[str], utterances: pd.DataFrame) -> pd.DataFrame:
    """One line per utterance that some run calls wrongly, the commonest mistakes first.

    id, task, stamp (of the rows counted), label; called: the commonest wrong class; wrong: share of the tests
    (rows x seeds) that are wrong; tests; confidence: mean probability of the wrong calls; then what ``utterances.csv``
    knows of it. Rows that the test part was used for are left out unless all are such.
    """
    counted = [row for row in rows if not row.on_test] or list(rows)
    tables = [table for row in counted for table in row.tables(ClassMeasure(task, space))]
    if not tables:
        return pd.DataFrame()
    parts = []
    for table in tables:
        labelled = table[table[task].isin(list(space))]
        probability = labelled[[f"{task}_p_{label}" for label in space]].max(axis=1)
        parts.append(
            pd.DataFrame(
                {
                    "id": labelled["id"],
                    "label": labelled[task],
                    "called": labelled[f"{task}_predicted"],
                    "confidence": probability,
                }
            )
        )
    every = pd.concat(parts, ignore_index=True)
    tests = every.groupby("id").size()
    wrong = every[every["called"] != every["label"]]
    if wrong.empty:
        return pd.DataFrame()
    grouped = wrong.groupby("id")
    table = pd.DataFrame(
        {
            "task": task,
            "stamp": "; ".join(dict.fromkeys(row.stamp for row in counted if row.stamp)),
            "label": grouped["label"].first(),
            "called": grouped["called"].agg(lambda calls: calls.mode().iloc[0]),
            "wrong": grouped.size() / tests.loc[list(grouped.groups)],
            "tests": tests.loc[list(grouped.groups)],
            "confidence": grouped["confidence"].mean().round(6),
        }
    )
    table = table.join(utterances, how="left").reset_index(names="id")
    return table.sort_values(["wrong", "confidence", "id"], ascending=[False, False, True], ignore_index=True)

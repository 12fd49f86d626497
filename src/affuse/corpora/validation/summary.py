"""How many utterances a corpus has of what: by label, gender, speaker and session."""

from __future__ import annotations

from typing import Any

import pandas as pd

from affuse.corpora.corpus import Corpus


def summarise(corpus: Corpus) -> pd.DataFrame:
    """A row per task and label (blank label: ""), counting utterances and speakers.

    Columns: task, label, utterances, speakers, then utterances by gender (``female``, ``male``,
    ``gender unknown``) and by session (``session <name>``), where the corpus has them.
    """
    table = corpus.table
    gender = table["gender"].fillna("gender unknown") if table["gender"].notna().any() else None
    session = "session " + table["session"].fillna("unknown") if table["session"].notna().any() else None
    rows: list[dict[str, Any]] = []
    for task, labels in corpus.info.label_spaces.items():
        if task not in table.columns:
            continue
        of_row = table[task].fillna("")
        for label in dict.fromkeys([*labels, *sorted(of_row.unique())]):
            here = of_row == label
            if label == "" and not here.any():
                continue
            row: dict[str, Any] = {"task": task, "label": label, "utterances": int(here.sum())}
            row["speakers"] = table.loc[here, "speaker"].nunique()
            for groups in (gender, session):
                if groups is not None:
                    row |= {name: int((groups[here] == name).sum()) for name in sorted(groups.unique())}
            rows.append(row)
    return pd.DataFrame(rows)

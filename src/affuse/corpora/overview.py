"""What a corpus holds, at a glance: counts, one line, and a small page for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd

from affuse.corpora.schema import CorpusInfo
from affuse.names import counted, listed

_SHOWN = 8  # labels of a task that the one line counts


def counts(table: pd.DataFrame, info: CorpusInfo) -> pd.DataFrame:
    """See ``Corpus.counts``."""
    gender = table["gender"].fillna("gender unknown") if table["gender"].notna().any() else None
    session = "session " + table["session"].fillna("unknown") if table["session"].notna().any() else None
    rows: list[dict[str, Any]] = []
    for task, labels in info.label_spaces.items():
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


def label_counts(table: pd.DataFrame, info: CorpusInfo) -> dict[str, dict[str, int]]:
    """Count utterances: task -> label -> number, labels in their order; "" counts the blank ones, if any."""
    found: dict[str, dict[str, int]] = {}
    for task, labels in info.label_spaces.items():
        if task in table.columns:
            number_of = table[task].value_counts()
            found[task] = {label: int(number_of.get(label, 0)) for label in labels}
            if blank := int(table[task].isna().sum()):
                found[task][""] = blank
    return found


def media_counts(table: pd.DataFrame) -> dict[str, int]:
    """Count the utterances that have audio, video and text, where any does."""
    found = {name: int(table[name].notna().sum()) for name in ("audio", "video", "text")}
    return {name: number for name, number in found.items() if number}


def line(table: pd.DataFrame, info: CorpusInfo) -> str:
    """Describe a corpus in one line, as ``repr`` shows it."""
    parts = [repr(info.name), counted(len(table), "utterance")]
    if speakers := table["speaker"].nunique():
        parts.append(counted(speakers, "speaker"))
    for task, numbers in label_counts(table, info).items():
        labels = [f"{label or 'blank'} {number}" for label, number in numbers.items()]
        parts.append(f"{task}: {listed(labels, _SHOWN)}")
    return f"Corpus({', '.join(parts)})"


def page(table: pd.DataFrame, info: CorpusInfo, remarks: Sequence[str]) -> str:
    """Describe a corpus as HTML: title, utterances, speakers, media, counts per label, and the remarks."""
    media = [f"{name} {number}" for name, number in media_counts(table).items()]
    facts = [counted(len(table), "utterance"), counted(table["speaker"].nunique(), "speaker"), *media]
    body = counts(table, info)
    found = [f"<p><b>{escape(info.title)}</b>: {escape(', '.join(facts))}</p>"]
    if len(body):
        body["label"] = body["label"].replace("", "(blank)")
        found.append(body.to_html(index=False, border=0, na_rep="", escape=True))
    found += [f"<p><i>{escape(remark)}</i></p>" for remark in remarks]
    return "\n".join(found)

"""Votes in a user's own table: columns ``votes_<label>``, how many raters gave each label."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from affuse.corpora.annotations import annotation_table
from affuse.corpora.labels import map_labels
from affuse.corpora.schema import VOTES_PREFIX as PREFIX
from affuse.corpora.table.options import TableOptions
from affuse.corpora.vocabulary import canonical_names
from affuse.errors import AffuseError
from affuse.names import counted, listed, quote, tidy
from affuse.tables import NumberedTable


@dataclass(frozen=True)
class TableVotes:
    """A table without its columns of votes, and what they say.

    Args:
        numbered: The table without them, with a column of the task.
        options: With the labels of a task that the votes alone label.
        task: That the votes are of.
        counts: (rows, labels) whole numbers, the labels as the table has them.
        labels: ``CorpusInfo.vote_labels``.
        made: Whether the column of the task was made from the votes.
        remarks: In sentences.
    """

    numbered: NumberedTable
    options: TableOptions
    task: str
    counts: pd.DataFrame
    labels: dict[str, dict[str, str | None]]
    made: bool
    remarks: list[str]

    @property
    def table(self) -> pd.DataFrame:
        """The rows."""
        return self.numbered.table

    def annotations(self, kept: pd.DataFrame) -> pd.DataFrame:
        """The rows of ``annotations.parquet`` of the rows that are kept, which have ids by now."""
        long = self.counts.loc[kept.index].melt(ignore_index=False, var_name="label", value_name="count")
        long = long[long["count"] > 0].sort_index(kind="stable")
        return annotation_table(
            {"id": kept["id"][row], "task": self.task, "label": label, "count": count}
            for row, label, count in zip(long.index, long["label"], long["count"], strict=True)
        )


def read_votes(numbered: NumberedTable, options: TableOptions) -> TableVotes | None:
    """Take the columns of votes out of a table; None where it has none.

    Args:
        numbered: Under the corpus's column names.
        options: ``votes`` names the task; the label map of the task is of the votes, too.

    Raises:
        AffuseError: A cell is no number of votes (the row is named), no row has a vote, two columns are of one label,
            one is the sum of the others, or votes are asked for and there are none.
    """
    table = numbered.table
    columns = [name for name in table.columns if name.lower().startswith(PREFIX) and _label(name)]
    if not columns:
        if options.votes:
            raise AffuseError(
                f"{numbered.path} has no column {PREFIX}<label>; it has {listed(list(table.columns))}. Name a column "
                f"after each label, such as {PREFIX}anger, or leave votes out."
            )
        return None
    task = options.votes or "emotion"
    for i, name in enumerate(columns):
        if same := [other for other in columns[:i] if _label(other) == _label(name)]:
            raise AffuseError(
                f"{numbered.path}: {same[0]} and {name} are both votes for {quote(_label(name))}; keep one of them."
            )
    counts = pd.DataFrame({_label(name): _counts(numbered, name) for name in columns})
    voted = counts.sum(axis=1) > 0
    if not voted.any():
        raise AffuseError(
            f"{numbered.path}: no row has a vote in {listed(columns)}; give the numbers of raters, or remove the "
            "columns."
        )
    _refuse_sums(numbered, columns, counts)
    remarks = [] if voted.all() else [f"{counted(int((~voted).sum()), 'row')} without a vote for {task}"]
    table = table.drop(columns=columns)
    written = numbered.written.drop(columns=columns)
    names = _names(list(counts.columns), task, options)
    made = task not in table.columns
    if made:
        table[task], sentence = _majority(counts, names, task)
        written[task] = table[task]
        if task == "emotion":
            table["label_source"] = written["label_source"] = "votes"
        remarks.append(sentence)
        spaces = {task: list(dict.fromkeys(name for name in names.values() if name is not None))}
        options = options.model_copy(update={"label_spaces": spaces | options.label_spaces})
    changed = {label: name for label, name in names.items() if name != label}
    labels: dict[str, dict[str, str | None]] = {task: changed} if changed else {}
    return TableVotes(numbered.renamed(table, written), options, task, counts, labels, made, remarks)


def _label(column: str) -> str:
    return tidy(column[len(PREFIX) :])


def _refuse_sums(numbered: NumberedTable, columns: list[str], counts: pd.DataFrame) -> None:
    """A column of all votes together would win every majority."""
    for name in columns if len(columns) > 2 else ():
        if counts[_label(name)].eq(counts.drop(columns=_label(name)).sum(axis=1)).all():
            raise AffuseError(
                f"{numbered.path}: {name} is the sum of the other columns of votes in every row, and no label; remove "
                "it, or name it without votes_."
            )


def _counts(numbered: NumberedTable, name: str) -> pd.Series:
    """Blank is 0."""
    raw = numbered.table[name]
    values = pd.to_numeric(raw, errors="coerce").astype("float64")
    for row in raw.index[raw.notna() & ~((values >= 0) & (values < 1e9) & (values % 1 == 0))]:
        raise numbered.error(
            row, name, f"{quote(raw[row])} is no number of votes; they are whole numbers from 0"
        )
    return values.fillna(0).astype("int64")


def _names(labels: list[str], task: str, options: TableOptions) -> dict[str, str | None]:
    """What each label of the votes is called in the corpus: by the task's map, then by the vocabulary if asked for."""
    found = pd.Series(labels, dtype="string")
    if task in options.maps:
        found = map_labels(found, options.maps[task])
    if options.canonical and task == "emotion":
        found = canonical_names(found)
    return {label: None if pd.isna(name) else str(name) for label, name in zip(labels, found, strict=True)}


def _majority(counts: pd.DataFrame, names: dict[str, str | None], task: str) -> tuple[pd.Series, str]:
    """What most raters said, blank where they tie or nobody voted; and a sentence on it."""
    inside = [label for label in counts.columns if names[label] is not None]
    if not inside:
        raise AffuseError(f"labels.{task} leaves no label of the columns {PREFIX}<label>; keep two or more.")
    by_name = counts[inside].T.groupby([names[label] for label in inside], sort=False).sum().T
    most = by_name.max(axis=1)
    alone = (by_name.eq(most, axis=0).sum(axis=1) == 1) & (most > 0)
    labels = by_name.idxmax(axis=1).where(alone).astype("string")
    left = f"; {counted(int((~alone).sum()), 'row')} without a majority: blank" if not alone.all() else ""
    return labels, f"The {task} is what most raters say (columns {PREFIX}<label>){left}"

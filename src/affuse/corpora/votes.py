"""How many raters gave each class, or each rating, to each utterance of a corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.corpora.vocabulary import same_label
from affuse.errors import AffuseError
from affuse.names import listed


def voted_tasks(corpus: Corpus) -> list[str]:
    """The tasks of which the corpus keeps labels of raters, in their order."""
    return _tasks(corpus, "label")


def rated_tasks(corpus: Corpus) -> list[str]:
    """The tasks of which the corpus keeps ratings of raters, in their order."""
    return _tasks(corpus, "value")


def votes(
    corpus: Corpus,
    task: str,
    classes: Sequence[str],
    merge: Mapping[str, str] | None = None,
    others: bool = False,
) -> pd.DataFrame:
    """Count how many raters gave each class to each utterance.

    A rater who gave an utterance two classes has a vote for each, one who gave it two labels that are one class has
    one. Labels outside of the classes count for nothing (``outside`` counts them), as do the speakers' own.

    Args:
        corpus: With annotations of the task.
        task: A column of the corpus.
        classes: In the order of the columns.
        merge: Labels of the corpus to rename first, as in a recipe.
        others: Count labels outside of the classes too, in columns of their own behind those of the classes: whether
            two raters agree does not depend on what a model knows.

    Returns:
        A row per utterance of the corpus, in its order and indexed by id, a column per class: whole numbers. All are
        0 where nobody gave one of the classes.

    Raises:
        AffuseError: The corpus keeps no votes of the task.

    Examples:
        >>> import affuse, pandas as pd
        >>> frame = pd.DataFrame({"id": ["a", "b"], "text": ["no", "yes"], "emotion": ["anger", "joy"]})
        >>> said = pd.DataFrame({"id": ["a", "a", "b"], "task": "emotion", "label": ["anger", "joy", "joy"]})
        >>> corpus = affuse.Corpus(frame, affuse.Corpus.from_frame(frame).info, annotations=said)
        >>> votes(corpus, "emotion", ["anger", "joy"]).values.tolist()
        [[1, 1], [0, 1]]
    """
    rows = _votes_of(corpus, task, classes, merge or {})
    if others:
        rows["class"] = rows["class"].fillna(rows["label"])
    inside = rows[rows["class"].notna()]
    columns = list(dict.fromkeys([*classes, *inside["class"]]))
    # one rater has one vote for a class, whatever the number of labels that are merged into it
    known = inside["annotator"].notna()
    inside = pd.concat(
        [inside[~known], inside[known].drop_duplicates(["id", "annotator", "class"])], ignore_index=True
    )
    counts = inside.pivot_table(index="id", columns="class", values="count", aggfunc="sum")
    counts = counts.reindex(index=corpus.table["id"], columns=columns)
    return counts.fillna(0).astype("int64").rename_axis(index="id", columns=None)


def outside(
    corpus: Corpus, task: str, classes: Sequence[str], merge: Mapping[str, str] | None = None
) -> dict[str, int]:
    """Count the votes for labels outside of the classes, which ``votes`` leaves out: label -> votes, most first."""
    rows = _votes_of(corpus, task, classes, merge or {})
    counts = rows[rows["class"].isna()].groupby("label")["count"].sum().sort_values(ascending=False)
    return {str(label): int(number) for label, number in counts.items()}


def shares(counts: pd.DataFrame) -> pd.DataFrame:
    """Turn votes into parts of 1 by row, NaN throughout a row without votes.

    Examples:
        >>> shares(pd.DataFrame({"anger": [1, 0], "joy": [3, 0]})).values.tolist()
        [[0.25, 0.75], [nan, nan]]
    """
    total = counts.sum(axis=1)
    return counts.div(total.where(total > 0), axis=0)


def rating_counts(corpus: Corpus, task: str) -> pd.DataFrame:
    """Count how many raters gave each rating to each utterance.

    Returns:
        A row per utterance of the corpus, in its order and indexed by id, a column per rating that occurs (float,
        rising): whole numbers.

    Raises:
        AffuseError: The corpus keeps no ratings of the task.
    """
    rows = _rows(corpus, task, "value", "ratings")
    counts = rows.pivot_table(index="id", columns="value", values="count", aggfunc="sum")
    counts = counts.reindex(index=corpus.table["id"])
    return counts.fillna(0).astype("int64").rename_axis(index="id", columns=None)


def _votes_of(corpus: Corpus, task: str, classes: Sequence[str], merge: Mapping[str, str]) -> pd.DataFrame:
    """The task's votes with a column ``class``, blank where the label is none of the classes."""
    rows = _rows(corpus, task, "label", "votes")
    known = corpus.info.vote_labels.get(task) or _consensus_labels(corpus, task)
    names: dict[str, str | None] = {}
    for label in rows["label"].unique():
        name = known.get(label, label)
        merged = None if name is None else same_label(name, list(merge), task)
        name = name if merged is None else merge[merged]
        names[label] = None if name is None else same_label(name, classes, task)
    return rows.assign(**{"class": rows["label"].map(lambda label: names[label])})


def _rows(corpus: Corpus, task: str, column: str, what: str) -> pd.DataFrame:
    """The rows of a task, the speakers' own left out."""
    rows = corpus.annotations
    if rows is not None:
        rows = rows[(rows["task"] == task) & rows[column].notna() & ~rows["self"]]
    if rows is None or rows.empty:
        tasks = _tasks(corpus, column)
        others = f" (it has {what} of {listed(tasks)})" if tasks else ""
        raise AffuseError(
            f"{corpus.info.name} keeps no {what} of {task}{others}; choose another task, or prepare the corpus from "
            f"a release or a table that has {what}."
        )
    return rows


def _tasks(corpus: Corpus, column: str) -> list[str]:
    rows = corpus.annotations
    if rows is None:
        return []
    return list(rows.loc[rows[column].notna() & ~rows["self"], "task"].unique())


def _consensus_labels(corpus: Corpus, task: str) -> dict[str, str | None]:
    """What codes mean in a folder that was prepared before ``vote_labels``: what its consensus labels became."""
    table, raw = corpus.table, f"{task}_raw"
    if raw not in table.columns:
        return {}
    rows = table[(table["label_source"] == "consensus") & table[raw].notna() & table[task].notna()]
    return {str(code): str(label) for code, label in zip(rows[raw], rows[task], strict=True)}

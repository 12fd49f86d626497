"""What raters said of utterances, in the classes and on the scales of a recipe: what a run keeps for its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.corpora.votes import rated_tasks, rating_counts, voted_tasks, votes
from affuse.recipe import Recipe

COLUMNS = ["id", "task", "answer", "count"]


def said_by_raters(corpus: Corpus, recipe: Recipe, spaces: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """List what raters said of the tasks of a recipe.

    Args:
        corpus: As the recipe looks at it.
        recipe: Its tasks, and the labels that they merge.
        spaces: Task -> its classes.

    Returns:
        Columns id, task, answer (a class, another label that a rater gave, or a rating as text) and count (raters),
        only of counts above 0; no rows where the corpus keeps nothing of these tasks.

    Raises:
        AffuseError: What the corpus keeps is damaged.
    """
    parts: list[pd.DataFrame] = []
    voted, rated = voted_tasks(corpus), rated_tasks(corpus)
    for task, space in spaces.items():
        if task in voted and task in recipe.tasks:
            parts.append(_long(votes(corpus, task, space, recipe.tasks[task].merge, others=True), task))
    for task in recipe.dimensions:
        if task in rated:
            counts = rating_counts(corpus, task)
            parts.append(_long(counts.rename(columns=lambda value: f"{value:.12g}"), task))
    return pd.concat(parts, ignore_index=True) if parts else nothing_said()


def nothing_said() -> pd.DataFrame:
    """The same without rows."""
    return pd.DataFrame(columns=COLUMNS)


def _long(counts: pd.DataFrame, task: str) -> pd.DataFrame:
    """A row per utterance and answer, by utterance and in the order of the columns."""
    long = counts.reset_index().melt("id", var_name="answer", value_name="count", ignore_index=False)
    long = long[long["count"] > 0].sort_index(kind="stable")
    return long.assign(task=task)[COLUMNS]

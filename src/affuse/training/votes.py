"""The shares of raters' votes that a task of target distribution learns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.corpora.votes import shares, voted_tasks, votes
from affuse.errors import AffuseError
from affuse.recipe import Task


def shares_of(
    corpus: Corpus, task: str, choice: Task, classes: Sequence[str], labels: pd.Series, training: bool = True
) -> np.ndarray:
    """The votes' shares of every utterance, a row of NaN where none is to be learnt from.

    Args:
        corpus: With annotations of the task.
        task: A column of the corpus.
        choice: Its merges, and whether utterances without a label count.
        classes: In order.
        labels: (rows,) the corpus's labels, blank outside of the classes.
        training: False: of a trained model, whose corpus may lack votes.

    Returns:
        (rows, classes) that sum to 1.

    Raises:
        AffuseError: The corpus keeps no votes of the task, or no utterance has one for any of the classes.
    """
    if not training and task not in voted_tasks(corpus):
        return np.full((len(corpus.table), len(classes)), np.nan)
    found = shares(votes(corpus, task, classes, choice.merge)).to_numpy(np.float64, copy=True)
    if not choice.without_agreement:
        found[labels.isna().to_numpy()] = np.nan
    if training and np.isnan(found).all():
        raise AffuseError(
            f"tasks.{task}: no utterance of {corpus.info.name} that could be trained on has a vote for any of "
            f"{', '.join(classes)}; choose other classes, or target: labels."
        )
    return found

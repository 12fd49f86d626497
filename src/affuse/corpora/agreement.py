"""How far the raters of a corpus agree, task by task, over all of its utterances."""

from __future__ import annotations

import numpy as np
import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.corpora.votes import outside, rated_tasks, rating_counts, voted_tasks, votes
from affuse.evaluation.intervals import Interval, speakers_of
from affuse.evaluation.raters import human_ceiling, krippendorff_alpha, rating_ceiling

COLUMNS = ["task", "metric", "utterances", "votes", "outside", "alpha", "rater", "low", "high"]


def agreement(corpus: Corpus) -> pd.DataFrame:
    """Measure the raters' agreement; see ``Corpus.raters``."""
    lines: list[dict[str, object]] = []
    for task in voted_tasks(corpus):
        space = corpus.info.label_spaces.get(task, [])
        counts = votes(corpus, task, space, others=True)
        beyond = sum(outside(corpus, task, space).values()) if space else 0
        lines.append(_line(corpus, task, counts, None, beyond))
    for task in rated_tasks(corpus):
        counts = rating_counts(corpus, task)
        lines.append(_line(corpus, task, counts, counts.columns.to_numpy(float), 0))
    return pd.DataFrame(lines, columns=COLUMNS)


def _line(
    corpus: Corpus, task: str, counts: pd.DataFrame, values: np.ndarray | None, beyond: int
) -> dict[str, object]:
    several = counts[counts.sum(axis=1) >= 2]
    array = several.to_numpy(float)
    clusters = corpus.table.set_index("id")["speaker"]
    speakers = speakers_of(pd.Series(several.index), clusters).tolist()
    found = Interval(float("nan"), float("nan"), float("nan"))
    if len(several):
        found = human_ceiling(array, speakers) if values is None else rating_ceiling(array, values, speakers)
    return {
        "task": task,
        "metric": "acc" if values is None else "ccc",
        "utterances": len(several),
        "votes": int(counts.to_numpy().sum()),
        "outside": beyond,
        "alpha": krippendorff_alpha(array, values),
        "rater": found.value,
        "low": found.low,
        "high": found.high,
    }

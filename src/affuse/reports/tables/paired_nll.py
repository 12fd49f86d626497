"""Two rows by the negative log likelihood of their test utterances, summed over tasks: the joint loss, unweighted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.calibration import probabilities_of, utterance_nll
from affuse.evaluation.differences import paired_mean_difference
from affuse.evaluation.intervals import speakers_of
from affuse.evaluation.measures import ClassMeasure
from affuse.evaluation.power import detectable_difference
from affuse.evaluation.resampled_t import corrected_resampled_t
from affuse.reports.tables.paired import common_tables, share_of_test
from affuse.reports.tables.rows import Row


def compare_nll(
    reference: Row, row: Row, spaces: Mapping[str, Sequence[str]], speakers: pd.Series
) -> dict[str, Any] | None:
    """``row`` minus ``reference`` in nats: the tasks' means over their labelled test utterances, added up.

    difference, low, high, p: by bootstrap clustered by speaker, paired by utterance, averaged over seeds;
    resampled_p: corrected resampled t over folds and seeds; n: test utterances with a label of any task;
    detectable: see ``detectable_difference``. None where a task has no utterance in common.
    ``speakers``: utterance id -> speaker.
    """
    tables = [_differences(reference, row, task, space) for task, space in spaces.items()]
    if any(not len(table) for table in tables):
        return None
    names = sorted({str(name) for table in tables for name in speakers_of(table["id"], speakers)})
    sums, counts = np.zeros((2, len(names), len(tables)))
    for i, table in enumerate(tables):
        by_speaker = table["difference"].groupby(speakers_of(table["id"], speakers)).agg(["sum", "size"])
        sums[:, i] = by_speaker["sum"].reindex(names, fill_value=0)
        counts[:, i] = by_speaker["size"].reindex(names, fill_value=0)
    found = paired_mean_difference(sums, counts)
    trainings: pd.Series = sum(table.groupby(["seed", "fold"])["difference"].mean() for table in tables)  # type: ignore[assignment]
    resampled = corrected_resampled_t(trainings.dropna().to_numpy(float), share_of_test(row))
    return {
        "difference": found.value, "low": found.low, "high": found.high, "p": found.p, "resampled_p": resampled.p,
        "n": len({(fold, id) for table in tables for fold, id in zip(table["fold"], table["id"], strict=True)}),
        "speakers": len(names), "detectable": detectable_difference(found.error, found.df),
    }  # fmt: skip


def _differences(reference: Row, row: Row, task: str, space: Sequence[str]) -> pd.DataFrame:
    """seed, fold, id, difference in nats: a line per common test utterance of the seeds that both rows have."""
    first, second = common_tables(reference, row, ClassMeasure(task, space))
    parts = []
    for seed in sorted(set(first) & set(second)):
        theirs, mine = (utterance_nll(*probabilities_of(of[seed], task, space)) for of in (first, second))
        parts.append(first[seed][["fold", "id"]].assign(seed=seed, difference=mine - theirs))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

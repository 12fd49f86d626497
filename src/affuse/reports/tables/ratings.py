"""``ratings.csv``: whether answers reach as far as ratings do, or are pulled to the middle of the scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from affuse.evaluation.measures import RatingMeasure
from affuse.evaluation.rating_range import RatingRange, rating_range
from affuse.reports.tables.rows import Row


def rating_table(rows: Sequence[Row], measure: RatingMeasure) -> pd.DataFrame:
    """One line per row: ``evaluation.rating_range.RatingRange`` of the test part, folds together, mean over seeds."""
    nobody = pd.Series(dtype=object)
    lines = []
    for row in rows:
        found = [rating_range(of.true, of.called) for of in measure.answers(row.tables(measure), nobody)]
        if found:
            about = {"task": measure.task, "stamp": row.stamp, "on_test": row.on_test}
            lines.append(row.settings | about | mean_range(found))
    return pd.DataFrame(lines)


def mean_range(found: Sequence[RatingRange]) -> dict[str, float]:
    """Its fields, each the mean over seeds of those that are known."""
    table = pd.DataFrame(found)
    means = {str(name): float(np.nan if of.isna().all() else of.mean()) for name, of in table.items()}
    return means | {"n": found[0].n}

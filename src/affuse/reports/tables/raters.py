"""``raters.csv``: how far raters agree, and what one rater and every row reach on the same utterances."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from affuse.evaluation.human_ceiling import measure_model, measure_raters, rater_line
from affuse.evaluation.measures import Measure
from affuse.reports.tables.rows import Row


def rater_table(rows: Sequence[Row], measure: Measure, speakers: pd.Series) -> pd.DataFrame:
    """One line per row, see ``human_ceiling.rater_line``; none where its runs kept no votes of the task.

    Args:
        rows: Finished ones.
        measure: Of the task.
        speakers: Utterance id -> speaker.
    """
    lines = []
    for row in rows:
        said = [found for run in row.trainings if len(found := run.tables.votes)]
        tables = row.tables(measure)
        if not said or not tables:
            continue
        # runs of several seeds keep the same votes
        raters = measure_raters(pd.concat(said).drop_duplicates(), measure, tables[0], speakers)
        if raters is not None:
            about = {"task": measure.task, "stamp": row.stamp, "on_test": row.on_test}
            found = rater_line(raters, measure_model(raters, measure, tables, speakers))
            lines.append(row.settings | about | found)
    return pd.DataFrame(lines)

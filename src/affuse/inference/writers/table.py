"""``csv``: a row per segment; ``curve``: a row per moment."""

from __future__ import annotations

import pandas as pd

from affuse.files.names import written
from affuse.inference.timeline import Timeline
from affuse.inference.writers.base import Writer


class CsvWriter(Writer):
    """The columns of ``Timeline.to_frame`` behind the clip's name."""

    name, suffix = "csv", ".csv"

    def text(self, timeline: Timeline, header: bool = True) -> str:
        """See ``Writer``; without ``header`` the rows alone, to follow another clip's."""
        return _csv(timeline.to_frame(), timeline, header)


class CurveWriter(Writer):
    """The columns of ``Timeline.curve`` behind the clip's name."""

    name, suffix = "curve", ".curve.csv"

    def text(self, timeline: Timeline) -> str:
        """See ``Writer``."""
        return _csv(timeline.curve(), timeline, header=True)


def _csv(table: pd.DataFrame, timeline: Timeline, header: bool) -> str:
    for column in ("start", "end"):
        table[column] = table[column].astype(float).round(3)
    table.insert(0, "clip", written(timeline.clip))
    return table.to_csv(index=False, header=header, lineterminator="\n")

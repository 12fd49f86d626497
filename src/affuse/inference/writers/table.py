"""``csv``: a row per segment."""

from __future__ import annotations

from affuse.files.names import written
from affuse.inference.timeline import Timeline
from affuse.inference.writers.base import Writer


class CsvWriter(Writer):
    """The columns of ``Timeline.to_frame`` behind the clip's name."""

    name, suffix = "csv", ".csv"

    def text(self, timeline: Timeline, header: bool = True) -> str:
        """See ``Writer``; without ``header`` the rows alone, to follow another clip's."""
        table = timeline.to_frame()
        for column in ("start", "end"):
            table[column] = table[column].astype(float).round(3)
        table.insert(0, "clip", written(timeline.clip))
        return table.to_csv(index=False, header=header, lineterminator="\n")

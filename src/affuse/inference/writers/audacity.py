"""``audacity``: a label track, to be imported beside the sound."""

from __future__ import annotations

from affuse.inference.timeline import Timeline
from affuse.inference.writers.base import Writer, say_in_cue


class AudacityWriter(Writer):
    """start, end and label between tabs."""

    name, suffix = "audacity", ".labels.txt"

    def text(self, timeline: Timeline) -> str:
        """See ``Writer``."""
        return "".join(
            f"{one.start:.6f}\t{one.end:.6f}\t{say_in_cue(one, timeline)}\n" for one in timeline.segments
        )

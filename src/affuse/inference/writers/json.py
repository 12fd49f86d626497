"""``json``: everything there is to tell."""

from __future__ import annotations

import json

from affuse.inference.timeline import Timeline
from affuse.inference.writers.base import Writer


class JsonWriter(Writer):
    """``Timeline.to_dict``, indented."""

    name, suffix = "json", ".json"

    def text(self, timeline: Timeline) -> str:
        """See ``Writer``."""
        return json.dumps(timeline.to_dict(), indent=2, ensure_ascii=False) + "\n"

    def line(self, timeline: Timeline) -> str:
        """The same on one line, for pipes of several clips (JSON Lines)."""
        return json.dumps(timeline.to_dict(), ensure_ascii=False) + "\n"

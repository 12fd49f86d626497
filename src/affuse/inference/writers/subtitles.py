"""``srt`` and ``vtt``: a cue per segment, its answer above its words."""

from __future__ import annotations

import html

from affuse.inference.timeline import Timeline
from affuse.inference.writers.base import Writer, say_in_cue


def clock(seconds: float, point: str) -> str:
    """As in 01:02:03,456."""
    thousandths = round(seconds * 1000)
    minutes, thousandths = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{thousandths // 1000:02}{point}{thousandths % 1000:03}"


class SrtWriter(Writer):
    """SubRip."""

    name, suffix = "srt", ".srt"

    def text(self, timeline: Timeline) -> str:
        """See ``Writer``."""
        cues = []
        for i, one in enumerate(timeline.segments, start=1):
            lines = [
                str(i),
                f"{clock(one.start, ',')} --> {clock(one.end, ',')}",
                say_in_cue(one, timeline),
                one.text,
            ]
            cues.append("\n".join(line for line in lines if line) + "\n")
        return "\n".join(cues)


class VttWriter(Writer):
    """WebVTT."""

    name, suffix = "vtt", ".vtt"

    def text(self, timeline: Timeline) -> str:
        """See ``Writer``."""
        cues = ["WEBVTT\n"]
        for one in timeline.segments:
            # an arrow or a tag in the words would end the cue or be swallowed
            words = html.escape(one.text, quote=False)
            lines = [
                f"{clock(one.start, '.')} --> {clock(one.end, '.')}",
                html.escape(say_in_cue(one, timeline), quote=False),
                words,
            ]
            cues.append("\n".join(line for line in lines if line) + "\n")
        return "\n".join(cues)

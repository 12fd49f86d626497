"""A timeline in a notebook: its picture and its first segments. What comes from clips and models is escaped."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

from affuse.figures import save_literally
from affuse.files.names import shown
from affuse.inference.writers.base import say_answer

if TYPE_CHECKING:
    from affuse.inference.timeline import Segment, Timeline, Value
    from affuse.recipe.dimension import Dimension

_ROWS = 12  # segments in the table
_LETTERS = 80  # of a segment's words


def timeline_html(timeline: Timeline) -> str:
    """One ``<div>``, complete in itself: the picture is in it."""
    from affuse.inference.plot import plot_timeline

    picture = io.BytesIO()
    save_literally(plot_timeline(timeline, None, timeline.tasks), picture, format="png", dpi=90)
    data = base64.b64encode(picture.getvalue()).decode("ascii")
    has_words = any(segment.text for segment in timeline.segments)
    header = ["start", "end", *timeline.tasks, *(["words"] if has_words else [])]
    rows = [_row(segment, timeline.ranges, has_words) for segment in timeline.segments[:_ROWS]]
    more = len(timeline.segments) - _ROWS
    notes = [timeline.warning, *timeline.faults]
    return "".join([
        f'<div><img src="data:image/png;base64,{data}" alt="{_safe(repr(timeline))}" style="max-width:100%">',
        _table(header, rows) if rows else "",
        f"<p>and {more} more; see <code>.segments</code> or <code>.to_frame()</code></p>" if more > 0 else "",
        *(f"<p>{_safe(note)}</p>" for note in notes if note),
        "</div>",
    ])  # fmt: skip


def _row(segment: Segment, ranges: Mapping[str, Dimension], has_words: bool) -> list[str]:
    answers = [say_answer(answer) for answer in segment.answers.values()]
    answers += [_value(segment.values[task], scale) for task, scale in ranges.items()]
    text = segment.text if len(segment.text) <= _LETTERS else f"{segment.text[: _LETTERS - 1]}…"
    return [_clock(segment.start), _clock(segment.end), *answers, *([text] if has_words else [])]


def _value(value: Value, scale: Dimension) -> str:
    """'3.4 (2.7 to 4.1)'."""
    told = scale.shown(value.mean)
    if value.low is None or value.high is None:
        return told
    return f"{told} ({scale.shown(value.low)} to {scale.shown(value.high)})"


def _table(header: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{_safe(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _clock(seconds: float) -> str:
    """As in '1:02.50', minutes and seconds."""
    minutes, hundredths = divmod(round(seconds * 100), 6000)
    return f"{minutes}:{hundredths / 100:05.2f}"


def _safe(text: str) -> str:
    return html.escape(shown(text), quote=True)

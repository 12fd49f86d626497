"""A timeline in a notebook: its picture and its first segments. What comes from clips and models is escaped."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

from affuse.figures import save_literally
from affuse.files.names import shown

if TYPE_CHECKING:
    from affuse.inference.timeline import Segment, Timeline

_ROWS = 12  # segments in the table
_LETTERS = 80  # of a segment's words


def timeline_html(timeline: Timeline) -> str:
    """One ``<div>``, complete in itself: the picture is in it."""
    from affuse.inference.plot import plot_timeline

    picture = io.BytesIO()
    save_literally(plot_timeline(timeline, None, list(timeline.spaces)), picture, format="png", dpi=90)
    data = base64.b64encode(picture.getvalue()).decode("ascii")
    has_words = any(segment.text for segment in timeline.segments)
    header = ["start", "end", *timeline.spaces, *(["words"] if has_words else [])]
    rows = [_row(segment, has_words) for segment in timeline.segments[:_ROWS]]
    more = len(timeline.segments) - _ROWS
    notes = [timeline.warning, *timeline.faults]
    return "".join([
        f'<div><img src="data:image/png;base64,{data}" alt="{_safe(repr(timeline))}" style="max-width:100%">',
        _table(header, rows) if rows else "",
        f"<p>and {more} more; see <code>.segments</code> or <code>.to_frame()</code></p>" if more > 0 else "",
        *(f"<p>{_safe(note)}</p>" for note in notes if note),
        "</div>",
    ])  # fmt: skip


def _row(segment: Segment, has_words: bool) -> list[str]:
    answers = [
        f"{answer.label}{'?' if answer.unsure else ''} {answer.confidence:.2f}"
        for answer in segment.answers.values()
    ]
    text = segment.text if len(segment.text) <= _LETTERS else f"{segment.text[: _LETTERS - 1]}…"
    return [_clock(segment.start), _clock(segment.end), *answers, *([text] if has_words else [])]


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

"""Times as subtitles write them."""

from __future__ import annotations

# 1:02:03,456 with hours or a fraction left out, a point or a colon for the comma, and spaces that translators leave
TIME = r"(?:(\d+)\s*:\s*)?(\d{1,4})\s*:\s*(\d{1,2})(?:\s*[.,:]\s*(\d{1,9}))?(?![\d:])"


def seconds(parts: tuple[str | None, ...]) -> float:
    """Of a match of ``TIME``: hours, minutes, seconds, fraction."""
    hours, minutes, whole, fraction = parts
    return round(
        int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(whole or 0) + float(f"0.{fraction or 0}"), 9
    )

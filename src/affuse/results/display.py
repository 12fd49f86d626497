"""How results show themselves: numbers in percent with one decimal, a small table and sentences in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from affuse.evaluation.measures import SHOWN

if TYPE_CHECKING:
    import pandas as pd

UNKNOWN = "-"


def percent(value: float, low: float = float("nan"), high: float = float("nan")) -> str:
    """A share in percent with one decimal, and its interval where there is one.

    Examples:
        >>> percent(2 / 3), percent(2 / 3, 0.5, 0.81), percent(float("nan"))
        ('66.7', '66.7 [50.0, 81.0]', '-')
    """
    if value != value:
        return UNKNOWN
    text = f"{100 * value:.1f}"
    return text if low != low else f"{text} [{100 * low:.1f}, {100 * high:.1f}]"


def decimals(value: float) -> str:
    """A number that is no share (NLL, ECE), with three decimals."""
    return UNKNOWN if value != value else f"{value:.3f}"


def shown(metric: str, value: float, low: float = float("nan"), high: float = float("nan")) -> str:
    """A metric with its interval, shares in percent, others with their own decimals.

    Examples:
        >>> shown("bacc", 0.5), shown("ccc", 0.412, 0.3, 0.51)
        ('50.0', '0.412 [0.300, 0.510]')
    """
    how = SHOWN.get(metric)
    if how is None or not how.percent:
        text = decimals(value)
        return text if low != low or value != value else f"{text} [{decimals(low)}, {decimals(high)}]"
    return percent(value, low, high)


def as_html(title: str, tables: Sequence[pd.DataFrame], sentences: Iterable[str] = ()) -> str:
    """A title, tables and sentences, for a notebook; all of it is escaped."""
    parts = [f"<p><strong>{html.escape(title)}</strong></p>"]
    parts += [
        table.to_html(index=False, border=0, escape=True, na_rep="", justify="left")
        for table in tables
        if len(table)
    ]
    parts += [f"<p>{html.escape(sentence)}</p>" for sentence in sentences]
    return f'<div class="affuse">{"".join(parts)}</div>'

"""Numbers as a report prints them."""

from __future__ import annotations

import math

from affuse.evaluation.measures import SHOWN, Shown
from affuse.reports.blocks import Cell

MINUS = "\u2212"
NBSP = "\u00a0"  # a sign and its number stay on one line
INTERVAL = "95 % interval"  # heading of the interval of the column before it
UNKNOWN = "-"  # a column of nothing else is left out


def signed(value: float, digits: int = 1) -> str:
    """'+0.4', '−1.2' with a true minus, '0.0' without a sign."""
    text = f"{abs(value):.{digits}f}"
    if not float(text):
        return text
    return f"{MINUS if value < 0 else '+'}{text}"


def plain(value: float, digits: int = 1) -> str:
    """Like ``signed`` but for the plus."""
    return signed(value, digits).removeprefix("+")


def points(low: float, high: float) -> str:
    """An interval of differences in percentage points: '[−0.9, 1.7]'; '' where there is none."""
    return "" if math.isnan(low) else f"[{plain(100 * low)}, {plain(100 * high)}]"


def p_value(p: float) -> str:
    """'0.52', '0.004', '< 0.001', or '-' where nothing was tested."""
    if math.isnan(p):
        return UNKNOWN
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def equals(p: float) -> str:
    """'= 0.52', '< 0.001' or 'unknown', to stand behind 'p' in a sentence."""
    text = p_value(p)
    text = text.replace(" ", NBSP)
    return "unknown" if text == UNKNOWN else text if text.startswith("<") else f"={NBSP}{text}"


def percent_interval(low: float, high: float) -> str:
    """An interval of shares in percent, to stand behind its number: ' [55.1, 69.0]'; '' where there is none."""
    return "" if math.isnan(low) else f" [{plain(100 * low)}, {plain(100 * high)}]"


def count_cell(count: float) -> Cell:
    """How many: '1,234'."""
    return Cell(f"{round(count):,}", float(count))


def percent_cell(value: float) -> Cell:
    """A share as percent."""
    return Cell(UNKNOWN, -1.0) if math.isnan(value) else Cell(f"{100 * value:.1f}", float(value))


def interval_cell(low: float, high: float) -> Cell:
    """An interval of shares as percent."""
    return (
        Cell(UNKNOWN, -1.0) if math.isnan(low) else Cell(f"{100 * low:.1f} to {100 * high:.1f}", float(low))
    )


def number_cell(value: float, digits: int) -> Cell:
    """A plain number."""
    return Cell(UNKNOWN, -1.0) if math.isnan(value) else Cell(plain(value, digits), float(value))


def difference_cell(value: float, low: float, high: float, shown: Shown = SHOWN["bacc"]) -> Cell:
    """A difference with its interval, of shares in percentage points."""
    if math.isnan(value):
        return Cell(UNKNOWN, -1.0)
    factor, digits = shown.factor, shown.digits
    span = "" if math.isnan(low) else f"[{plain(factor * low, digits)}, {plain(factor * high, digits)}]"
    return Cell(f"{signed(factor * value, digits)} {span}".strip(), float(value))


def metric_cell(value: float, shown: Shown) -> Cell:
    """A metric as it is shown; what is not known sorts before all."""
    return percent_cell(value) if shown.percent else _below(number_cell(value, shown.digits))


def metric_interval_cell(low: float, high: float, shown: Shown) -> Cell:
    """Its interval."""
    if shown.percent:
        return interval_cell(low, high)
    if math.isnan(low):
        return Cell(UNKNOWN, -math.inf)
    return Cell(f"{plain(low, shown.digits)} to {plain(high, shown.digits)}", float(low))


def metric_in_words(value: float, low: float, high: float, shown: Shown) -> str:
    """'62.3 % [55.1, 69.0]', '0.412 [0.300, 0.510]'."""
    if shown.percent:
        return f"{plain(100 * value)} %{percent_interval(low, high)}"
    span = "" if math.isnan(low) else f" [{plain(low, shown.digits)}, {plain(high, shown.digits)}]"
    return f"{plain(value, shown.digits)}{span}" if value == value else "unknown"


def _below(cell: Cell) -> Cell:
    return Cell(cell.text, -math.inf) if cell.text == UNKNOWN else cell


def p_cell(p: float) -> Cell:
    """A p value; none sorts behind all."""
    return Cell(p_value(p), 2.0 if math.isnan(p) else float(p))

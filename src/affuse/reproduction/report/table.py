"""One row per published row and metric: published | as written | as coded | honest, and the footnotes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from affuse.reports.blocks import Cell, Table
from affuse.reports.numbers import UNKNOWN, plain, signed
from affuse.reproduction.definition import PROTOCOLS
from affuse.reproduction.report.values import METRICS, PERCENT

MARKS = "†‡§¶"
INSIDE = "published number in honest interval"
LEGEND = (
    "ACC and BACC in percent, test utterances of all folds together, mean over seeds; in parentheses the difference to "
    "the published number. Intervals are 95 %: over speakers for ACC and BACC, by Student's t over runs "
    "for NLL and weights."
)


def numbers_table(frame: pd.DataFrame) -> Table:
    """A line per published row and metric, of ``values.reproduction_rows``.

    Cells read 'value (difference to the published number)', honest ones 'value [low, high] (difference)'. Letters point
    at what is known against a published number, † ‡ § ¶ at what was chosen on the test part.
    """
    protocols = [name for name in PROTOCOLS if name in set(frame["protocol"])]
    reasons = marks_of(frame)
    letters = letters_of(frame)
    headings = ["row", "metric", "published", *(PROTOCOLS[name] for name in protocols)]
    compared = bool((frame["inside"] != "").any())
    headings += [INSIDE] if compared else []
    lines = []
    for (row, metric), group in frame.groupby(["row", "metric"], sort=False):
        first = group.iloc[0]
        letter = f" ({letters[first['note']]})" if first["note"] else ""
        blank = np.isnan(first["published"])
        printed = "" if blank else f"{_number(first['published'], str(metric), True)}{letter}"
        line = [Cell(str(row)), Cell(METRICS.get(str(metric), str(metric)))]
        line.append(Cell(printed, -1.0 if blank else float(first["published"])))
        for protocol in protocols:
            found = group[group["protocol"] == protocol]
            line.append(_cell(found.iloc[0], reasons) if len(found) else Cell("", -1.0))
        if compared:
            line.append(Cell("".join(group["inside"])))
        lines.append(line)
    notes_of = [f"({letter}) published: {note}." for note, letter in letters.items()]
    notes_of += [f"{mark} {reason}." for reason, mark in reasons.items()]
    return Table(headings, lines, notes=notes_of)


def letters_of(frame: pd.DataFrame) -> dict[str, str]:
    """What is known against a published number -> its letter."""
    notes = dict.fromkeys(note for note in frame["note"] if note)
    return {note: chr(ord("a") + i) for i, note in enumerate(notes)}


def marks_of(frame: pd.DataFrame) -> dict[str, str]:
    """What was chosen on a test part, or trained on it -> its mark."""
    reasons = dict.fromkeys(part for text in frame["on_test"] for part in text.split("; ") if part)
    return {reason: MARKS[i] for i, reason in enumerate(reasons)}


def marked(on_test: str, reasons: dict[str, str]) -> str:
    """The marks of one number."""
    return "".join(reasons[part] for part in on_test.split("; ") if part)


def _cell(row: pd.Series, reasons: dict[str, str]) -> Cell:
    if np.isnan(row["value"]):
        return Cell("failed" if row["failed"] else UNKNOWN, -1.0)
    text = _number(row["value"], row["metric"]) + marked(row["on_test"], reasons)
    if row["protocol"] == "honest" and not np.isnan(row["low"]):
        text += f" [{_number(row['low'], row['metric'])}, {_number(row['high'], row['metric'])}]"
    if not np.isnan(row["published"]):
        text += f" ({_number(row['value'] - row['published'], row['metric'], sign=True)})"
    return Cell(text + (f" lambda {row['lambda']}" if row["lambda"] else ""), float(row["value"]))


def _number(value: float, metric: str, printed: bool = False, sign: bool = False) -> str:
    digits = 1 if metric.endswith(PERCENT) or metric == "nll_validation" else 3
    digits += 1 if printed else 0  # published numbers keep their own digits
    return signed(value, digits) if sign else plain(value, digits)

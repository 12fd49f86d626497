"""One row per published row and metric: published | as written | as coded | honest, and the footnotes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from affuse.reports.blocks import Cell, Table
from affuse.reproduction.definition import PROTOCOLS
from affuse.reproduction.report.values import METRICS, PERCENT

MARKS = "†‡§¶"
INSIDE = "published inside honest interval"
LEGEND = (
    "ACC and BACC in percent, test utterances of all folds together, mean over seeds; in parentheses the difference to "
    "the published number. Intervals are 95 %: by bootstrap over speakers for ACC and BACC, by Student's t over runs "
    "for NLL and weights."
)


class NumbersTable(NamedTuple):
    """The table, and what its letters and marks mean."""

    table: Table
    footnotes: list[str]

    def to_frame(self) -> pd.DataFrame:
        """As text, for a terminal."""
        lines = [[cell.text for cell in line] for line in self.table.lines]
        return pd.DataFrame(lines, columns=pd.Index(self.table.headings))


def numbers_table(frame: pd.DataFrame) -> NumbersTable:
    """Of ``reproduction_rows``. Cells read 'value (difference to the published number)', honest ones 'value [low, high]
    (difference)'. Letters point at what is known against a published number, † ‡ § ¶ at what was chosen on the test
    part.
    """
    protocols = [name for name in PROTOCOLS if name in set(frame["protocol"])]
    reasons = marks_of(frame)
    notes = list(dict.fromkeys(note for note in frame["note"] if note))
    headings = ["row", "metric", "published", *(PROTOCOLS[name] for name in protocols)]
    headings += [INSIDE] if "honest" in protocols else []
    lines = []
    for (row, metric), group in frame.groupby(["row", "metric"], sort=False):
        first = group.iloc[0]
        letter = f" ({_letter(notes.index(first['note']))})" if first["note"] else ""
        blank = np.isnan(first["published"])
        printed = "" if blank else f"{_number(first['published'], str(metric), True)}{letter}"
        line = [Cell(str(row)), Cell(METRICS.get(str(metric), str(metric)))]
        line.append(Cell(printed, -1.0 if blank else float(first["published"])))
        for protocol in protocols:
            found = group[group["protocol"] == protocol]
            line.append(_cell(found.iloc[0], reasons) if len(found) else Cell("", -1.0))
        if "honest" in protocols:
            line.append(Cell("".join(group["inside"])))
        lines.append(line)
    footnotes = [f"({_letter(i)}) published: {note}." for i, note in enumerate(notes)]
    footnotes += [f"{mark} {reason}." for reason, mark in reasons.items()]
    return NumbersTable(Table(headings, lines), footnotes)


def marks_of(frame: pd.DataFrame) -> dict[str, str]:
    """What was chosen on a test part, or trained on it -> its mark."""
    reasons = dict.fromkeys(part for text in frame["on_test"] for part in text.split("; ") if part)
    return {reason: MARKS[i] for i, reason in enumerate(reasons)}


def marked(on_test: str, reasons: dict[str, str]) -> str:
    """The marks of one number."""
    return "".join(reasons[part] for part in on_test.split("; ") if part)


def _cell(row: pd.Series, reasons: dict[str, str]) -> Cell:
    if np.isnan(row["value"]):
        return Cell("failed", -1.0)
    text = _number(row["value"], row["metric"]) + marked(row["on_test"], reasons)
    if row["protocol"] == "honest" and not np.isnan(row["low"]):
        text += f" [{_number(row['low'], row['metric'])}, {_number(row['high'], row['metric'])}]"
    if not np.isnan(row["published"]):
        text += f" ({_number(row['value'] - row['published'], row['metric'], signed=True)})"
    return Cell(text + (f" lambda {row['lambda']}" if row["lambda"] else ""), float(row["value"]))


def _number(value: float, metric: str, printed: bool = False, signed: bool = False) -> str:
    digits = 1 if metric.endswith(PERCENT) or metric == "nll_validation" else 3
    digits += 1 if printed else 0  # published numbers keep their own digits
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"


def _letter(index: int) -> str:
    return chr(ord("a") + index)


def protocol_names(protocols: Sequence[str]) -> str:
    """'as written, as coded, honest'."""
    return ", ".join(PROTOCOLS[name] for name in protocols)

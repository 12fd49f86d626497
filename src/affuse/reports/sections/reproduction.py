"""Published numbers beside ours, where ``affuse reproduce`` has left ``reproduction.csv`` or ``reproduction.md``."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from affuse.errors import AffuseError
from affuse.reports.blocks import Block, Cell, Prose, Section, Table
from affuse.reports.numbers import UNKNOWN
from affuse.reports.report import Report
from affuse.reports.rows import MARK

# as they stand beside the published number
PROTOCOLS = ("written", "coded", "honest")
_NEEDED = ("table", "row", "metric", "published", "protocol", "value")


def section(report: Report) -> Section | None:
    """A line per published number: under each protocol ours, its interval and the difference from the published one."""
    blocks: list[Block] = []
    path = report.folder / "reproduction.csv"
    if path.is_file():
        blocks += _table(pd.read_csv(path, dtype={"note": str}), str(path))
    notes = report.folder / "reproduction.md"
    if notes.is_file():
        blocks += [Prose(text) for text in _paragraphs(notes.read_text(encoding="utf-8"))]
    return Section("Published and reproduced", blocks) if blocks else None


def _table(table: pd.DataFrame, path: str) -> list[Block]:
    missing = [name for name in _NEEDED if name not in table.columns]
    if missing:
        raise AffuseError(f"{path} has no column {', '.join(missing)}; run 'affuse reproduce' again.")
    protocols = [p for p in PROTOCOLS if (table["protocol"] == p).any()]
    protocols += [p for p in dict.fromkeys(table["protocol"].dropna()) if p not in PROTOCOLS]
    notes = list(dict.fromkeys(table["note"].dropna())) if "note" in table else []
    papers = "paper" in table and table["paper"].nunique() > 1
    headings = [*(["paper"] if papers else []), "table", "row", "metric", "published"]
    for protocol in protocols:
        headings += [f"as {protocol}" if protocol != "honest" else "honest", "difference"]
    headings += ["published in the honest interval"] if "honest" in protocols else []
    lines, marked = [], False
    keys = [*(["paper"] if papers else []), "table", "row", "metric"]
    for key, group in table.groupby(keys, sort=False, dropna=False):
        published = float(group["published"].iloc[0])
        own = [str(note) for note in dict.fromkeys(group["note"].dropna())] if "note" in group else []
        foot = "".join(f" [{notes.index(note) + 1}]" for note in own)
        line = [
            Cell("" if value != value else str(value))
            for value in (key if isinstance(key, tuple) else (key,))
        ]
        line.append(Cell(f"{_number(published)}{foot}", published if published == published else -1.0))
        inside = UNKNOWN
        for protocol in protocols:
            found = group[group["protocol"] == protocol]
            if not len(found):
                line += [Cell(UNKNOWN, -1.0), Cell(UNKNOWN, -math.inf)]
                continue
            one: dict[Any, Any] = found.iloc[0].to_dict()
            on_test = _told(one.get("on_test"))
            marked = marked or on_test
            line += _cells(one, published, on_test)
            if protocol == "honest":
                inside = {"True": "yes", "False": "no"}.get(str(one.get("inside")), UNKNOWN)
        lines.append([*line, Cell(inside)] if "honest" in protocols else line)
    blocks: list[Block] = [Table(headings, lines)]
    text = "Difference: ours minus the published number. In brackets the 95 % interval by bootstrap over speakers."
    if marked:
        text += f" {MARK} The test part had a hand in this number: no estimate for new speakers."
    blocks.append(Prose(text, "soft"))
    blocks += [Prose(f"[{i}] {note}", "soft") for i, note in enumerate(notes, 1)]
    return blocks


def _cells(one: dict[Any, Any], published: float, on_test: bool) -> list[Cell]:
    value, low, high = (float(one.get(name, math.nan)) for name in ("value", "low", "high"))
    if math.isnan(value):
        return [Cell(UNKNOWN, -1.0), Cell(UNKNOWN, -math.inf)]
    interval = "" if math.isnan(low) else f" [{_number(low)}, {_number(high)}]"
    difference = value - published
    return [
        Cell(f"{_number(value)}{f' {MARK}' if on_test else ''}{interval}", value),
        Cell(UNKNOWN, -math.inf)
        if math.isnan(difference)
        else Cell(f"{difference:+.2f}".replace("-", "−"), difference),
    ]


def _told(on_test: Any) -> bool:
    """Whether a cell of the column on_test says so: a true value, or what was chosen on the test part in words."""
    return str(on_test).strip().lower() not in ("", "nan", "none", "false", "0", "<na>")


def _number(value: float) -> str:
    return UNKNOWN if math.isnan(value) else f"{value:.2f}"


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.lstrip("#").split()) for part in text.split("\n\n") if part.strip()]

"""``report.html`` of ``affuse reproduce``: the table with its footnotes, and the way to each protocol's own report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from affuse.errors import AffuseError
from affuse.files import write_text
from affuse.reports.page import PAGE
from affuse.reports.reproduction import FORMAT, RECORD, reproduction_table


def is_reproduction(folder: str | Path) -> bool:
    """Whether 'affuse reproduce' wrote this folder."""
    return (Path(folder) / RECORD).is_file()


def write_reproduction_page(folder: str | Path) -> Path:
    """Write ``report.html`` from reproduction.json and reproduction.csv; return its path.

    Raises AffuseError where they are missing, damaged or of a newer affuse.
    """
    folder = Path(folder)
    record, frame = _read(folder)
    table, footnotes = reproduction_table(frame)
    environment = Environment(
        loader=PackageLoader("affuse.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("reproduction.html.j2").render(
        record=record,
        footnotes=footnotes,
        headings=list(table.columns),
        lines=[list(map(str, line)) for line in table.itertuples(index=False)],
        reports={about["id"]: (folder / about["folder"] / PAGE).is_file() for about in record["protocols"]},
        page=PAGE,
    )
    write_text(folder / PAGE, page)
    return folder / PAGE


def _read(folder: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        frame = pd.read_csv(
            folder / "reproduction.csv", dtype={"lambda": str, "inside": str, "on_test": str, "note": str}
        )
        version = record["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AffuseError(
            f"{folder} cannot be read as a reproduction ({' '.join(str(error).split())}); run the same 'affuse "
            "reproduce' again."
        ) from None
    if version != FORMAT:
        raise AffuseError(
            f"{folder / RECORD} has format {version}, this affuse reads {FORMAT}; update affuse."
        )
    for column in ("lambda", "inside", "on_test", "note"):
        frame[column] = frame[column].fillna("")
    return record, frame

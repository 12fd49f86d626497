"""``report.html``: a comparison as one page that needs nothing but itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from affuse.errors import AffuseError
from affuse.evaluation.predictions import measure_table
from affuse.files import write_text
from affuse.reports import page_figures as figures
from affuse.reports.record import RECORD, read_record
from affuse.reports.results import TITLES, read_predictions
from affuse.reports.rows import read_rows
from affuse.reports.statistics import compute_statistics, write_statistics

PAGE = "report.html"
UNKNOWN = "-"  # a column of nothing else is left out
_SKIPPED_SHOWN = 30


def write_page(folder: str | Path) -> Path:
    """Write ``report.html`` into a comparison's folder, from what lies in that folder alone; return its path.

    Reads comparison.json, results.csv and the runs' predictions. Raises AffuseError where they are missing.
    """
    folder = Path(folder)
    record = read_record(folder)
    results = _read_results(folder)
    write_statistics(compute_statistics(folder, record, read_rows(folder, record)), folder)
    environment = Environment(
        loader=PackageLoader("affuse.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("comparison.html.j2").render(
        record=record,
        warnings=warnings(record),
        runs=_runs(record),
        protocols=_protocols(record),
        tasks=[_task(record, results, task, folder) for task in record["tasks"]],
        skipped_shown=_SKIPPED_SHOWN,
    )
    write_text(folder / PAGE, page)
    return folder / PAGE


def warnings(record: dict[str, Any]) -> list[str]:
    """What a reader must know before believing a number, in sentences."""
    told = []
    if record["corpus"]["generated"]:
        told.append(
            "This corpus is generated: a program made its voices, words and faces. The numbers show that the code "
            "works and how near it comes to the best possible; they say nothing about people."
        )
    if any(row["stamp"] for row in record["rows"]):
        told.append(
            "Speaker-dependent: in some rows speakers of the test part are heard in training, which flatters the "
            "numbers."
        )
    overlaps = {row["transcript_overlap"] for row in record["rows"] if row["transcript_overlap"] is not None}
    if overlaps and max(overlaps) > 0:
        told.append(
            f"Transcript overlap: {_span(sorted(100 * share for share in overlaps))} % of the test utterances say "
            "word for word what some training utterance says (mean over folds); a text encoder may know them by heart."
        )
    if all(len({cell["seed"] for cell in row["cells"]}) == 1 for row in record["rows"]):
        told.append("One seed: how much the numbers vary from seed to seed is not known.")
    if record["skipped"]:
        count = len({skip["id"] for skip in record["skipped"]})
        told.append(f"{count} utterance{'s were' if count > 1 else ' was'} skipped; the causes are below.")
    if record["failed"]:
        told.append(f"Failed runs: {len(record['failed'])}; rows that need them are left out.")
    return told


def _span(values: list[float]) -> str:
    low, high = f"{values[0]:.1f}", f"{values[-1]:.1f}"
    return low if low == high else f"{low} to {high}"


def _read_results(folder: Path) -> pd.DataFrame:
    path = folder / "results.csv"
    if not path.is_file():
        raise AffuseError(f"{path} is missing; run the same 'affuse compare' again to write it.")
    try:
        return pd.read_csv(path, keep_default_na=True)
    except pd.errors.EmptyDataError:
        return pd.DataFrame(columns=["task"])


def _runs(record: dict[str, Any]) -> list[dict[str, str]]:
    """What was run, one line per recipe."""
    lines: dict[str, dict[str, Any]] = {}
    for row in record["rows"]:
        line = lines.setdefault(
            row["settings"]["recipe"],
            {
                "recipe": row["settings"]["recipe"],
                "description": row["description"],
                "modalities": ", ".join(f"{name} ({encoder})" for name, encoder in row["modalities"].items()),
                "fusion": row["fusion"],
                "losses": [],
            },
        )
        if row["settings"]["loss"] not in line["losses"]:
            line["losses"].append(row["settings"]["loss"])
    return [line | {"losses": ", ".join(line["losses"])} for line in lines.values()]


def _protocols(record: dict[str, Any]) -> list[dict[str, str]]:
    """Each protocol once: in words, its split's hash, folds and seeds."""
    found: dict[str, dict[str, str]] = {}
    for row in record["rows"]:
        folds = sorted({cell["fold"] for cell in row["cells"]})
        seeds = sorted({cell["seed"] for cell in row["cells"]})
        overlap = row["transcript_overlap"]
        found.setdefault(
            row["split_hash"],
            {
                "words": describe_protocol(row["protocol"]),
                "hash": row["split_hash"],
                "folds": f"{len(folds)} ({', '.join(map(str, folds))})",
                "seeds": f"{len(seeds)} ({', '.join(map(str, seeds))})",
                "stamp": row["stamp"] or "speaker-independent",
                "overlap": "no words" if overlap is None else f"{100 * overlap:.1f} %",
            },
        )
    return list(found.values())


def describe_protocol(protocol: dict[str, Any]) -> str:
    """A split protocol in words: 'leave one group out by session; 1 group by session validates'."""
    by = ", ".join(protocol["by"])
    text = protocol["kind"].replace("_", " ") + (f" by {by}" if by else "")
    if protocol["kind"] == "ratio":
        text += " " + ":".join(f"{100 * share:g}" for share in protocol["ratios"])
    part = protocol["validation"]
    if part is None:
        return text + ("" if protocol["kind"] in ("ratio", "column") else "; nothing validates")
    size = (
        f"{part['groups']} group" if part["groups"] else f"{100 * part['fraction']:g} % of the training part"
    )
    of = ", ".join(part["by"]) or (by if part["groups"] else "")
    return f"{text}; {size}{f' by {of}' if of else ''} validates"


def _task(record: dict[str, Any], results: pd.DataFrame, task: str, folder: Path) -> dict[str, Any]:
    """Everything the page shows about one task."""
    facts = record["tasks"][task]
    rows = results[results["task"] == task]
    total = sum(facts["counts"].values())
    majority = max(facts["counts"].values()) / total if total else None
    shown: dict[str, Any] = {
        "name": task,
        "classes": figures.class_distribution(facts["counts"]),
        "headings": [],
        "table": [],
        "majority": majority,
        "forest": None,
        "has_ceiling": False,
        "confusions": [],
    }
    if rows.empty:
        return shown
    fixed = list(rows.columns[: list(rows.columns).index("protocol")])
    shown["has_ceiling"] = bool(rows["ceiling"].notna().any())
    shown["headings"], shown["table"] = _table(rows, fixed, shown["has_ceiling"])
    acc = rows[rows["metric"] == "acc"]
    shown["forest"] = figures.forest(
        pd.DataFrame(
            {
                "label": [
                    ", ".join(str(v) for v in line if v == v) for line in acc[fixed].itertuples(index=False)
                ],
                "group": acc["recipe"].to_numpy(),
                **{name: acc[name].to_numpy(float) for name in ("value", "low", "high", "ceiling")},
            }
        ),
        majority,
        TITLES["acc"],
    )
    shown["confusions"] = _confusions(record, task, facts["classes"], folder)
    return shown


def _table(
    rows: pd.DataFrame, fixed: list[str], with_ceiling: bool
) -> tuple[list[str], list[list[dict[str, Any]]]]:
    """Headings and lines of cells {text, sort}; percent."""
    headings = [*fixed, TITLES["acc"], "95 % interval"]
    headings += ["ceiling", "ACC / ceiling"] if with_ceiling else []
    headings += [TITLES["bacc"], "95 % interval"]
    headings += ["BACC ceiling"] if with_ceiling else []
    headings += [TITLES["macro_f1"], TITLES["weighted_f1"], "sd over folds", "sd over seeds", "n"]
    lines = []
    for key, group in rows.groupby(fixed, sort=False, dropna=False):
        of = {str(row["metric"]): row for row in group.to_dict("records")}
        acc, bacc = of["acc"], of["bacc"]
        line = [{"text": str(value) if value == value else "", "sort": None} for value in key]
        line += [_percent(acc["value"]), _interval(acc)]
        line += [_percent(acc["ceiling"]), _percent(acc["value"] / acc["ceiling"])] if with_ceiling else []
        line += [_percent(bacc["value"]), _interval(bacc)]
        line += [_percent(bacc["ceiling"])] if with_ceiling else []
        line += [_percent(of[name]["value"]) for name in ("macro_f1", "weighted_f1")]
        line += [_percent(acc["sd_folds"]), _percent(acc["sd_seeds"])]
        lines.append([*line, {"text": str(acc["n"]), "sort": float(acc["n"])}])
    known = [any(line[i]["text"] != UNKNOWN for line in lines) for i in range(len(headings))]
    return (
        [heading for heading, shown in zip(headings, known, strict=True) if shown],
        [[cell for cell, shown in zip(line, known, strict=True) if shown] for line in lines],
    )


def _percent(value: float) -> dict[str, Any]:
    if np.isnan(value):
        return {"text": UNKNOWN, "sort": -1.0}
    return {"text": f"{100 * value:.1f}", "sort": float(value)}


def _interval(row: dict[Any, Any]) -> dict[str, Any]:
    if np.isnan(row["low"]):
        return {"text": UNKNOWN, "sort": -1.0}
    return {"text": f"{100 * row['low']:.1f} to {100 * row['high']:.1f}", "sort": float(row["low"])}


def _confusions(record: dict[str, Any], task: str, classes: list[str], folder: Path) -> list[dict[str, str]]:
    """One matrix per recipe: under cross_entropy, or under its first loss where it has no such row."""
    chosen: dict[str, dict[str, Any]] = {}
    for row in record["rows"]:
        recipe = row["settings"]["recipe"]
        if all(cell["finished"] for cell in row["cells"]) and (
            recipe not in chosen
            or (
                row["settings"]["loss"] == "cross_entropy"
                and chosen[recipe]["settings"]["loss"] != "cross_entropy"
            )
        ):
            chosen[recipe] = row
    found = []
    for recipe, row in chosen.items():
        matrix = np.zeros((len(classes), len(classes)))
        for cell in row["cells"]:
            if not (folder / cell["folder"] / "predictions.csv").is_file():
                raise AffuseError(
                    f"{folder / cell['folder']} has no predictions.csv, which {RECORD} names; run the same "
                    "'affuse compare' again."
                )
            table = read_predictions(folder / cell["folder"], "test")
            if task in table.columns and (table[task] != "").any():
                matrix += measure_table(table, task, classes).confusion
        drawn = figures.confusion(matrix, classes, f"{task}-{recipe}")
        found.append({"recipe": recipe, "loss": row["settings"]["loss"], "figure": drawn})
    return found

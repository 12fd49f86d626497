"""What was run: recipes, protocols with their split hash, corpus, versions, files, and what was skipped or failed."""

from __future__ import annotations

from typing import Any

from affuse.reports.blocks import Block, Cell, Facts, Notes, Prose, Section, Table
from affuse.reports.report import Report
from affuse.reports.statistics import TABLES

_SKIPPED = 30
FILES = {
    "results.csv": "every cell's metrics with intervals",
    "paired_tests.csv": "every comparison with its tests",
    "calibration.csv": "calibration and temperatures",
    "reliability.csv": "the reliability curves",
    "groups.csv": "metrics by gender, dialog type and speaker, and the gaps",
    "embeddings.csv": "silhouette and intra/inter-class ratio",
    "mistakes.csv": "every utterance that some run gets wrong",
    "joint_losses.csv": "losses and weights of joint training",
    "subsets.csv": "models with some of their modalities",
    "report.md": "this report's words and tables",
    "tables.tex": "tables for a paper, with booktabs",
}
_WRITTEN = {"report.md", "tables.tex"}  # with the page itself


def sections(report: Report) -> list[Section]:
    """Setting, corpus and software, skipped and failed."""
    return [_run(report), _software(report), _left_out(report)]


def _run(report: Report) -> Section:
    lines: dict[str, dict[str, Any]] = {}
    for row in report.record["rows"]:
        parts = ", ".join(f"{name} ({encoder})" for name, encoder in row["modalities"].items())
        about = {
            "modalities": parts,
            "fusion": row["fusion"],
            "losses": [],
            "description": row["description"],
        }
        line = lines.setdefault(row["settings"]["recipe"], about)
        if row["settings"]["loss"] not in line["losses"]:
            line["losses"].append(row["settings"]["loss"])
    cells = [
        [
            Cell(name),
            Cell(of["modalities"]),
            Cell(of["fusion"]),
            Cell(", ".join(of["losses"])),
            Cell(of["description"]),
        ]
        for name, of in lines.items()
    ]
    blocks: list[Block] = [
        Table(["recipe", "modalities", "fusion", "losses", "description"], cells, prose=True)
    ]
    return Section("What was run", blocks + [Facts(facts) for facts in _protocols(report.record)])


def _protocols(record: dict[str, Any]) -> list[list[tuple[str, str]]]:
    """Each protocol once: in words, its split's hash, folds and seeds."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row in record["rows"]:
        folds = sorted({cell["fold"] for cell in row["cells"]})
        seeds = sorted({cell["seed"] for cell in row["cells"]})
        overlap = row["transcript_overlap"]
        facts = [
            ("protocol", describe_protocol(row["protocol"])),
            ("speakers", row["stamp"] or "speaker-independent"),
            ("folds", f"{len(folds)} ({', '.join(map(str, folds))})"),
            ("seeds", f"{len(seeds)} ({', '.join(map(str, seeds))})"),
            ("transcript overlap", "no words" if overlap is None else f"{100 * overlap:.1f} %"),
            ("split hash", row["split_hash"]),
        ]
        if row.get("on_test"):
            facts.append(("test part", str(row["on_test"])))
        found.setdefault(row["split_hash"] + str(row.get("on_test") or ""), facts)
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


def _software(report: Report) -> Section:
    corpus = report.record["corpus"]
    facts = [("corpus", f"{corpus['title']}, hash {corpus['hash']}"), *report.record["environment"].items()]
    blocks: list[Block] = [Facts([(str(name), str(value)) for name, value in facts])]
    if corpus["notes"]:
        blocks.append(Notes(f"Notes of the corpus ({len(corpus['notes'])})", corpus["notes"]))
    made = {f"{name}.csv" for name in TABLES if len(getattr(report.statistics, name))}
    unmade = {f"{name}.csv" for name in TABLES} - made
    there = [
        f"{name}: {what}"
        for name, what in FILES.items()
        if name in made | _WRITTEN or (name not in unmade and (report.folder / name).is_file())
    ]
    blocks.append(Notes("Files beside this page", there))
    return Section("Corpus and software", blocks)


def _left_out(report: Report) -> Section:
    skipped, blocks = report.record["skipped"], []
    if skipped:
        lines = [[Cell(s["id"]), Cell(s["modality"]), Cell(s["cause"])] for s in skipped[:_SKIPPED]]
        blocks.append(Table(["utterance", "modality", "cause"], lines, prose=True))
        if len(skipped) > _SKIPPED:
            blocks.append(Prose(f"{len(skipped) - _SKIPPED} more are in skipped.csv."))
    else:
        blocks.append(Prose("No utterance was skipped."))
    for failure in report.record["failed"]:
        blocks.append(Prose(f"{failure['run']} failed: {failure['cause']}"))
    return Section("Skipped and failed", blocks)

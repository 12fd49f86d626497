"""What was run: recipes, protocols with their split hash, corpus, versions, files, and what was skipped or failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from affuse.failures import SKIPPED
from affuse.reports.blocks import Block, Cell, Facts, Notes, Prose, Section, Table
from affuse.reports.description import describe_protocol
from affuse.reports.numbers import UNKNOWN
from affuse.reports.report import Report
from affuse.reports.tables.rows import Row
from affuse.training.comparison_folder import JOINT_LOSSES, LATEX, MARKDOWN, RESULTS, STATISTICS, SUBSETS

_SKIPPED = 30
FILES = {
    RESULTS: "every cell's metrics with intervals",
    STATISTICS["paired_tests"]: "every comparison with its tests",
    STATISTICS["trainings"]: "whether the trainings behind each row trained",
    STATISTICS["calibration"]: "calibration and temperatures",
    STATISTICS["reliability"]: "the reliability curves",
    STATISTICS["groups"]: "metrics by gender, dialog type and speaker, and the gaps",
    STATISTICS["embeddings"]: "silhouette and intra/inter-class ratio",
    STATISTICS["mistakes"]: "every utterance that some run gets wrong",
    STATISTICS["ratings"]: "answers against ratings over the range of the scale",
    STATISTICS["raters"]: "how far raters agree, and what one rater and every row reach",
    JOINT_LOSSES: "losses and weights of joint training",
    SUBSETS: "models with some of their modalities",
    MARKDOWN: "this report's words and tables",
    LATEX: "tables for a paper, with booktabs",
}
_WRITTEN = {MARKDOWN, LATEX}  # with the page itself


def sections(report: Report) -> list[Section]:
    """Setting, corpus and software, skipped and failed."""
    record = report.record
    skipped = [(skip["id"], skip["modality"], skip["cause"]) for skip in record["skipped"]]
    failed = [(failure["run"], failure["cause"]) for failure in record["failed"]]
    return [_run(report), _software(report), skipped_section(skipped, failed)]


def _run(report: Report) -> Section:
    lines: dict[str, dict[str, Any]] = {}
    for row in report.record["rows"]:
        parts = "; ".join(f"{name}: {encoder}" for name, encoder in row["modalities"].items())
        about = {
            "modalities": parts,
            "fusion": row["fusion"],
            "losses": [],
            "told": _told(row),
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
            Cell(of["told"]),
        ]
        for name, of in lines.items()
    ]
    headings = ["recipe", "modalities and encoders", "fusion", "losses", "description, or changes"]
    blocks: list[Block] = [Table(headings, cells, prose=True)]
    if command := report.record.get("command"):
        blocks.append(Facts([("command", command)]))
    if report.rows:
        blocks += [_spent(report.rows), Prose(_SPENT, "soft")]
    return Section("What was run", blocks + [Facts(facts) for facts in _protocols(report.record)])


_SPENT = (
    "Parameters trained: in one run. Epochs: of every run, of those allowed. Minutes: of all runs of the row together, "
    "without reading and encoding the clips."
)


def _told(row: dict[str, Any]) -> str:
    """The recipe's words on itself where nothing was changed in it, else what was."""
    if row.get("changed"):
        return f"changed: {'; '.join(row['changed'])}"
    # folders of an older affuse kept the words without saying whether they still hold
    return row["description"] if "changed" in row else ""


def _spent(rows: Sequence[Row]) -> Table:
    """A line per row: what its runs were and what they cost."""
    lines = []
    for row in rows:
        found = [run.result for run in row.trainings]
        parameters = sorted({of["parameters"] for of in found if of.get("parameters") is not None})
        epochs = sorted(of["epochs"] for of in found if of.get("epochs"))
        seconds = [of["seconds"] for of in found if of.get("seconds") is not None]
        days = sorted({of["finished"] for of in found if of.get("finished")})
        allowed = f" of {row.epochs}" if row.epochs is not None else ""
        minutes = sum(seconds) / 60
        lines.append(
            [
                Cell(row.name_among(rows)),
                Cell(" or ".join(f"{n:,}" for n in parameters), float(parameters[-1]))
                if parameters
                else NOTHING,
                Cell(_range(epochs) + allowed, float(epochs[-1])) if epochs else NOTHING,
                Cell(str(len(found)), float(len(found))),
                Cell(f"{minutes:.1f}", minutes) if len(seconds) == len(found) else NOTHING,
                Cell(_range(days)) if days else Cell(UNKNOWN),
            ]
        )
    headings = ("row", "parameters trained", "epochs", "runs", "minutes", "finished")
    return Table(headings, lines)


NOTHING = Cell(UNKNOWN, -1.0)


def _range(values: Sequence[Any]) -> str:
    return str(values[0]) if values[0] == values[-1] else f"{values[0]} to {values[-1]}"


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


def _software(report: Report) -> Section:
    corpus = report.record["corpus"]
    facts = [("corpus", f"{corpus['title']}, hash {corpus['hash']}"), *report.record["environment"].items()]
    blocks: list[Block] = [Facts([(str(name), str(value)) for name, value in facts])]
    if corpus["notes"]:
        blocks.append(Notes(f"Notes of the corpus ({len(corpus['notes'])})", corpus["notes"]))
    made = {file for name, file in STATISTICS.items() if len(getattr(report.statistics, name))}
    unmade = {*STATISTICS.values()} - made
    there = [
        f"{name}: {what}"
        for name, what in FILES.items()
        if name in made | _WRITTEN or (name not in unmade and (report.folder / name).is_file())
    ]
    blocks.append(Notes("Files beside this page", there))
    return Section("Corpus and software", blocks)


def skipped_section(skipped: Sequence[tuple[str, str, str]], failed: Sequence[tuple[str, str]]) -> Section:
    """What could not be used, and which runs failed."""
    return Section("Skipped and failed" if failed else "Skipped utterances", left_out(skipped, failed))


def left_out(skipped: Sequence[tuple[str, str, str]], failed: Sequence[tuple[str, str]]) -> list[Block]:
    """skipped: utterance, modality, cause; failed: run, cause."""
    blocks: list[Block] = []
    if skipped:
        lines = [[Cell(id), Cell(modality), Cell(cause)] for id, modality, cause in skipped[:_SKIPPED]]
        blocks.append(Table(["utterance", "modality", "cause"], lines, prose=True))
        if len(skipped) > _SKIPPED:
            blocks.append(Prose(f"{len(skipped) - _SKIPPED} more are in {SKIPPED}."))
    else:
        blocks.append(Prose("No utterance was skipped."))
    blocks += [Prose(f"{run} failed: {cause}") for run, cause in failed]
    return blocks

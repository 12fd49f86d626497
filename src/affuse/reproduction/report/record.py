"""The files of a reproduction's folder: ``reproduction.csv``, ``claims.csv``, ``reproduction.json``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import affuse
from affuse.errors import AffuseError
from affuse.files import write_csv, write_json
from affuse.outputs import Outputs
from affuse.reports.sections.setting import describe_protocol
from affuse.reproduction.definition import PROTOCOLS, Paper
from affuse.reproduction.report.claims import COLUMNS as CLAIM_COLUMNS
from affuse.reproduction.report.claims import claims_table
from affuse.reproduction.report.values import COLUMNS, ProtocolRun, reproduction_rows

RECORD = "reproduction.json"
NUMBERS, CLAIMS = "reproduction.csv", "claims.csv"
# What a reproduction writes into its folder, besides a comparison's folder per protocol
FILES = (RECORD, NUMBERS, CLAIMS, "report.html", "report.md", "tables.tex", "switches.csv", "switches.md")
FORMAT = 2
_KEYS = {
    "affuse", "title", "paper", "kind", "corpus", "same_corpus", "generated", "classes", "notes", "caveats",
    "protocols",
}  # fmt: skip


def reproduction_outputs(folder: Path, overwrite: bool = False) -> Outputs:
    """What may be written into a reproduction's folder, checked; one of an affuse that kept no record is trusted."""
    outputs = Outputs.current(folder, "reproduce", overwrite=overwrite, deep=False)
    if not outputs.recorded and is_reproduction(folder):
        outputs = Outputs(folder, "reproduce", overwrite=True, deep=False)
    outputs.check([folder / name for name in FILES])
    return outputs


def write_record(
    out: Path, paper: Paper, runs: Sequence[ProtocolRun], form_notes: Sequence[str]
) -> dict[str, Any]:
    """Write the three files; return the record (the last one's content)."""
    frame = reproduction_rows(paper, runs)
    corpus = runs[0].comparison.experiments[0].corpus.info
    told = [
        f"The published numbers are of {paper.corpus}, these of {corpus.title}: differences between them say nothing "
        "about the paper."
    ]
    record = {
        "format": FORMAT,
        "affuse": affuse.__version__,
        "title": f"{paper.title[0].upper()}{paper.title[1:]}, corpus: {corpus.title}",
        "paper": paper.published,
        "kind": paper.kind,
        "corpus": corpus.title,
        "same_corpus": corpus.name == paper.corpus and not corpus.generated,
        "generated": corpus.generated,
        "classes": {
            task: len(space) for task, space in runs[0].comparison.experiments[0].labelled.spaces.items()
        },
        "notes": [*form_notes, *([] if corpus.name == paper.corpus and not corpus.generated else told)],
        "caveats": [" ".join(text.split()) for text in paper.caveats],
        "protocols": [_about(run, out) for run in runs],
    }
    write_csv(out / NUMBERS, frame)
    write_csv(out / CLAIMS, claims_table(paper, frame, {run.name: out / run.name for run in runs}))
    write_json(out / RECORD, record)
    return record


def is_reproduction(folder: str | Path) -> bool:
    """Whether 'affuse reproduce' wrote this folder."""
    return (Path(folder) / RECORD).is_file()


def read_record(folder: Path) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """The record, ``reproduction.csv`` and ``claims.csv``.

    Raises AffuseError where they are missing, damaged or of another format.
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if record["format"] == FORMAT:
            text = {"lambda": str, "inside": str, "on_test": str, "note": str, "failed": str}
            told = {"on_test": str, "note": str}
            frame = pd.read_csv(folder / NUMBERS, dtype=text)
            claims = pd.read_csv(folder / CLAIMS, dtype=told)
            for table, columns, blank in ((frame, COLUMNS, [*text]), (claims, CLAIM_COLUMNS, [*told])):
                if list(table.columns) != columns or not len(table):
                    raise ValueError("a table of it has other columns, or no lines")
                table[blank] = table[blank].fillna("")
            if lost := _KEYS - set(record):
                raise ValueError(f"{RECORD} has no {min(lost)}")
            return record, frame, claims
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AffuseError(
            f"{folder} cannot be read as a reproduction ({' '.join(str(error).split())}); run the same 'affuse "
            "reproduce' again."
        ) from None
    raise AffuseError(
        f"{folder / RECORD} has format {record['format']}, this affuse reads {FORMAT}; run the same 'affuse reproduce' "
        "again (finished runs are kept)."
    )


def _about(run: ProtocolRun, out: Path) -> dict[str, Any]:
    comparison, experiment = run.comparison, run.comparison.experiments[0]
    recipe = experiment.recipe
    return {
        "id": run.name,
        "name": PROTOCOLS[run.name],
        "folder": run.name,
        "description": " ".join(run.definition.description.split()),
        "split": describe_protocol(recipe.protocol.model_dump(mode="json")),
        "split_hash": experiment.split.hash,
        "stamp": experiment.split.stamp or "speaker-independent",
        "seeds": sorted({cell.variant.recipe.seed for cell in comparison.cells}),
        "folds": [len({cell.fold for cell in comparison.cells}), len(experiment.split.folds)],
        "utterances": len(experiment.labelled.table),
        "notes": [note for note in (*run.grid.notes, *experiment.notes) if note],
        "on_test": sorted({cell.variant.recipe.on_test for cell in comparison.cells} - {""}),
        "failed": [
            f"{cell.folder.relative_to(out).as_posix()}: {cause}" for cell, cause in comparison.failed
        ],
    }

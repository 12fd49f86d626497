"""The files of a reproduction's folder: ``reproduction.csv``, ``claims.csv``, ``reproduction.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import affuse
from affuse.errors import AffuseError
from affuse.files import read_csv, write_csv, write_json
from affuse.files.outputs import Outputs
from affuse.reports.description import describe_protocol
from affuse.reports.record import read_record as read_comparison
from affuse.reports.tables.results import tested_speakers
from affuse.reports.tables.rows import read_rows
from affuse.reproduction.definition import PROTOCOLS, Paper
from affuse.reproduction.report.claims import COLUMNS as CLAIM_COLUMNS
from affuse.reproduction.report.claims import NUMBERS as CLAIM_NUMBERS
from affuse.reproduction.report.claims import claims_table, untrained_rows
from affuse.reproduction.report.values import COLUMNS, ProtocolRun, reproduction_rows, same_corpus
from affuse.reproduction.report.values import NUMBERS as FRAME_NUMBERS
from affuse.reproduction.utterances import utterances_in_words
from affuse.training.comparison_folder import LATEX, MARKDOWN, PAGE
from affuse.training.comparison_folder import RECORD as COMPARISON

RECORD = "reproduction.json"
NUMBERS, CLAIMS = "reproduction.csv", "claims.csv"
EFFECTS, EFFECTS_TABLE = "switches.csv", "switches.md"
# What a reproduction writes into its folder, besides a comparison's folder per protocol
FILES = (RECORD, NUMBERS, CLAIMS, PAGE, MARKDOWN, LATEX, EFFECTS, EFFECTS_TABLE)
FORMAT = 3
_KEYS = {
    "affuse", "command", "title", "paper", "kind", "corpus", "same_corpus", "generated", "classes", "notes", "caveats",
    "protocols",
}  # fmt: skip


def reproduction_outputs(folder: Path, overwrite: bool = False) -> Outputs:
    """What may be written into a reproduction's folder, checked; one of an affuse that kept no record is trusted."""
    outputs = Outputs.current(folder, "reproduce", overwrite=overwrite, deep=False)
    if not outputs.recorded and is_reproduction(folder):
        outputs.adopt(FILES)
    outputs.check([folder / name for name in FILES])
    return outputs


def write_record(
    out: Path, paper: Paper, runs: Sequence[ProtocolRun], form_notes: Sequence[str], command: str = ""
) -> dict[str, Any]:
    """Write the three files; return the record (the last one's content). ``command``: what was typed."""
    trainings = {run.name: run.trainings for run in runs}
    frame = reproduction_rows(paper, runs, _untrained(out, runs))
    same = same_corpus(paper, runs)
    corpus = runs[0].comparison.experiments[0].corpus.info
    others = [text for run in runs for text in run.grid.other_utterances]
    told = list(dict.fromkeys(others)) or [
        f"The published numbers are of {paper.corpus}, these of {corpus.title}: differences between them say nothing "
        "about the paper."
    ]
    record = {
        "format": FORMAT,
        "affuse": affuse.__version__,
        "command": command,
        "title": f"{paper.title[0].upper()}{paper.title[1:]}, corpus: {corpus.title}",
        "paper": paper.published,
        "kind": paper.kind,
        "corpus": corpus.title,
        "same_corpus": same,
        "generated": corpus.generated,
        "classes": {
            task: len(space) for task, space in runs[0].comparison.experiments[0].labelled.spaces.items()
        },
        "notes": [*form_notes, *([] if same else told)],
        "caveats": [" ".join(text.split()) for text in paper.caveats],
        "protocols": [_about(paper, run, out) for run in runs],
    }
    write_csv(out / NUMBERS, frame)
    folders = {run.name: out / run.name for run in runs}
    write_csv(out / CLAIMS, claims_table(paper, frame, folders, trainings))
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
            frame = read_csv(folder / NUMBERS, FRAME_NUMBERS)
            claims = read_csv(folder / CLAIMS, CLAIM_NUMBERS)
            for table, columns in ((frame, COLUMNS), (claims, CLAIM_COLUMNS)):
                if list(table.columns) != columns or not len(table):
                    raise ValueError("a table of it has other columns, or no lines")
            if lost := _KEYS - set(record):
                raise ValueError(f"{RECORD} has no {min(lost)}")
            return record, frame, claims
    except (OSError, ValueError, KeyError, TypeError, AffuseError) as error:
        raise AffuseError(
            f"{folder} cannot be read as a reproduction ({' '.join(str(error).split())}); run the same "
            "reproduction again."
        ) from None
    raise AffuseError(
        f"{folder / RECORD} has format {record['format']}, this affuse reads {FORMAT}; run the same reproduction again "
        "(finished runs are kept)."
    )


def skipped_ids(folder: Path, record: Mapping[str, Any]) -> list[str]:
    """Ids of the utterances that were skipped under any protocol, each once; a protocol's folder may be gone."""
    found: set[str] = set()
    for about in record["protocols"]:
        if (folder / about["folder"] / COMPARISON).is_file():
            found |= {skip["id"] for skip in read_comparison(folder / about["folder"])["skipped"]}
    return sorted(found)


def _untrained(out: Path, runs: Sequence[ProtocolRun]) -> dict[tuple[str, str], str]:
    """(protocol, variant's name) -> why no difference of it is judged."""
    found = {}
    for run in runs:
        record = read_comparison(out / run.name)
        spaces = {task: about["classes"] for task, about in record["tasks"].items()}
        told = untrained_rows(read_rows(out / run.name, record), spaces, run.trainings)
        found |= {(run.name, row.settings["row"]): why for row, why in told.items()}
    return found


def _about(paper: Paper, run: ProtocolRun, out: Path) -> dict[str, Any]:
    comparison, experiment = run.comparison, run.comparison.experiments[0]
    recipe = experiment.recipe
    notes = [*run.grid.notes, *run.grid.other_utterances, *experiment.notes, *tested_speakers(comparison)]
    return {
        "id": run.name,
        "name": PROTOCOLS[run.name],
        "folder": run.name,
        "description": f"{' '.join(run.definition.description.split())} "
        f"{utterances_in_words(paper, run.definition)}",
        "split": describe_protocol(recipe.protocol.model_dump(mode="json")),
        "split_hash": experiment.split.hash,
        "stamp": experiment.split.stamp or "speaker-independent",
        "seeds": sorted({cell.variant.recipe.seed for cell in comparison.cells}),
        "folds": [len({cell.fold for cell in comparison.cells}), len(experiment.split.folds)],
        "utterances": len(experiment.labelled.table),
        "notes": [note for note in notes if note],
        "on_test": sorted({cell.variant.recipe.on_test for cell in comparison.cells} - {""}),
        "failed": [
            f"{cell.folder.relative_to(out).as_posix()}: {cause}" for cell, cause in comparison.failed
        ],
    }

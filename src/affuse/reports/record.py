"""``comparison.json``: what a comparison's page needs to know beyond ``results.csv`` and the runs' predictions."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

import affuse
from affuse.errors import AffuseError
from affuse.evaluation.measures import RatingMeasure, SetMeasure
from affuse.files import write_json
from affuse.models.defaults import PredictionDefaults
from affuse.models.licences import licences_of_model
from affuse.reports.description import base_of, changed_fields, encoder_in_words
from affuse.reports.tables.results import rows_of
from affuse.reports.tables.utterances import write_utterances
from affuse.training.calibration import trained_on
from affuse.training.cells import Cell
from affuse.training.compare import Comparison
from affuse.training.comparison_folder import RECORD, runs_of
from affuse.training.environment import versions
from affuse.training.inputs import reads_text
from affuse.training.runfolder import RunFolder

FORMAT = 1
BINS = 12  # ratings that ``comparison.json`` counts one by one, or else parts of their range


def write_record(comparison: Comparison, out: Path, command: str = "") -> None:
    """Write ``comparison.json`` and ``utterances.csv`` into the comparison's folder; paths are relative to it.

    ``command``: what was typed, if it was a command.
    """
    corpus = comparison.experiments[0].corpus
    write_utterances(corpus, out)
    rows = [_row(comparison, dict(row), cells, out) for row, cells in rows_of(comparison).items()]
    skipped = {skip for experiment in comparison.experiments for skip in experiment.skipped}
    write_json(
        out / RECORD,
        {
            "format": FORMAT,
            "affuse": affuse.__version__,
            "command": command,
            "environment": _versions(comparison),
            "corpus": {
                "title": corpus.info.title,
                "generated": corpus.info.generated,
                "hash": corpus.hash,
                "utterances": len(corpus),
                "speakers": int(corpus.table["speaker"].nunique()),
                "notes": corpus.info.notes,
                "ceilings": corpus.info.ceilings,
            },
            "tasks": _tasks(comparison),
            "rows": rows,
            "skipped": [skip._asdict() for skip in sorted(skipped)],
            "failed": [
                {"run": cell.folder.relative_to(out).as_posix(), "cause": cause}
                for cell, cause in comparison.failed
            ],
        },
    )


def read_record(folder: Path) -> dict[str, Any]:
    """The record of a comparison's folder. Raises AffuseError where there is none, or it is damaged."""
    path = folder / RECORD
    if not path.is_file():
        begun, finished = count_runs(folder)
        if begun:
            raise AffuseError(
                f"{folder} holds a comparison that was interrupted or still runs: {finished} of the {begun} runs begun "
                "are finished. Run the same comparison again: it goes on there and ends with the report."
            )
        raise AffuseError(
            f"{folder} is not a comparison's folder: it has no {RECORD}; name a folder that a comparison was written "
            "into."
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        version = record["format"]
    except (ValueError, KeyError, TypeError):
        raise AffuseError(f"{path} is damaged; run the same comparison again to write it.") from None
    if version != FORMAT:
        raise AffuseError(
            f"{path} has format {version}, this affuse reads {FORMAT}; run the same comparison again."
        )
    return record


def count_runs(folder: Path) -> tuple[int, int]:
    """Run folders below a comparison's folder: begun in all, and finished."""
    begun = runs_of(folder)
    return len(begun), sum(run.finished for run in begun)


def _row(comparison: Comparison, settings: dict[str, str], cells: list[Cell], out: Path) -> dict[str, Any]:
    recipe = cells[0].variant.recipe
    experiment = comparison.experiments[cells[0].experiment]
    overlap = experiment.transcript_overlap
    trained = PredictionDefaults(trained_on=trained_on(experiment.corpus.info))
    base = cells[0].variant.base or base_of(recipe)
    changed = [] if base is None else changed_fields(recipe, base, ["loss", *cells[0].variant.settings])
    return {
        "settings": settings,
        # its author's words, as long as they are about what was run
        "description": "" if changed else " ".join(recipe.description.split()),
        "changed": changed,
        "modalities": {name: encoder_in_words(part.model_dump()) for name, part in recipe.modalities.items()},
        "reads_text": reads_text(recipe),
        "fusion": "none" if cells[0].variant.baseline else recipe.fusion.name,
        "baseline": bool(cells[0].variant.baseline),
        # as the parts' cards say now: they need not be on the machine that writes a later report
        "licences": [list(part) for part in licences_of_model(recipe, trained)],
        "protocol": recipe.protocol.model_dump(mode="json"),
        "split_hash": experiment.split.hash,
        "stamp": experiment.split.stamp,
        "on_test": recipe.on_test,
        "view": experiment.notes,
        "transcript_overlap": None if overlap != overlap else overlap,
        "cells": [
            {
                "folder": cell.folder.relative_to(out).as_posix(),
                "fold": cell.fold,
                "seed": cell.variant.recipe.seed,
                "finished": cell.folder in comparison.results,
            }
            for cell in cells
        ],
    }


def _tasks(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """Task -> its classes, in order, with the labelled utterances of each; or of ratings kind, range and how many."""
    tasks: dict[str, dict[str, Any]] = {}
    for experiment in comparison.experiments:
        for task, space in experiment.labelled.spaces.items():
            counts = experiment.labelled.table[task].value_counts()
            tasks.setdefault(
                task, {"classes": space, "counts": {label: int(counts.get(label, 0)) for label in space}}
            )
        for task in experiment.labelled.ratings:
            low, high = experiment.recipe.dimensions[task]
            ratings = experiment.labelled.table[task].to_numpy(float)
            counts = count_ratings(ratings[~np.isnan(ratings)], low, high)
            tasks.setdefault(task, {"kind": RatingMeasure.kind, "range": [low, high], "counts": counts})
        for task, labels in experiment.labelled.label_sets.items():
            there = np.nansum(list(experiment.labelled.sets[task].values()), axis=0)
            counts = {label: int(n) for label, n in zip(labels, there, strict=True)}
            tasks.setdefault(task, {"kind": SetMeasure.kind, "classes": labels, "counts": counts})
    return tasks


def count_ratings(ratings: np.ndarray, low: float, high: float) -> dict[str, int]:
    """How many utterances have each rating, or one in each part of the range where there are more than BINS of them.

    Examples:
        >>> count_ratings(np.array([1.5, 2, 1.5]), 1, 5)
        {'1.5': 2, '2': 1}
    """
    values, counts = np.unique(ratings, return_counts=True)
    if len(values) <= BINS:
        return {f"{value:g}": int(n) for value, n in zip(values, counts, strict=True)}
    counts, edges = np.histogram(ratings, BINS, (low, high))
    return {f"{a:.3g} to {b:.3g}": int(n) for a, b, n in zip(edges, edges[1:], counts, strict=False)}


def _versions(comparison: Comparison) -> dict[str, str]:
    found = versions(comparison.experiments[comparison.cells[0].experiment])
    # of the processes that trained, not of this one
    runs = [run for one in comparison.results if (run := RunFolder(one)).begun]
    threads = runs[0].environment().get("threads") if runs else None
    found |= {"threads": "unknown" if threads is None else f"{threads} per run, {os.cpu_count()} cores"}
    return {name: str(value) for name, value in found.items()}

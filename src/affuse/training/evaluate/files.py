"""The files of an evaluation's folder."""

from __future__ import annotations

from pathlib import Path

from affuse.failures import SKIPPED
from affuse.files import write_csv
from affuse.training.evaluate.evaluation import Evaluation
from affuse.training.experiment import skipped_table
from affuse.training.runfolder import METRICS, PREDICTIONS

# Table of an ``Evaluation`` -> its file
TABLES = {
    "predictions": PREDICTIONS,
    "metrics": METRICS,
    "recalls": "recalls.csv",
    "groups": "groups.csv",
    "calibration": "calibration.csv",
    "raters": "raters.csv",
    "skipped": SKIPPED,
}


def write_evaluation(found: Evaluation, folder: Path) -> None:
    """Write TABLES into a folder; one without lines is left out, but for ``skipped.csv``."""
    for name, file in TABLES.items():
        skipped = name == "skipped"
        table = skipped_table(found.skipped, found.partial) if skipped else getattr(found, name)
        if skipped or len(table):
            write_csv(folder / file, table)

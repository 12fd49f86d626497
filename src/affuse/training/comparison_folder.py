"""A comparison's folder: what its files are called, where its runs lie, and what may be written over.

====================== =================================================================================
runs/ROW/foldN/        a run folder each (``training.runfolder``)
comparison.json        the rows, their runs, corpus and versions; a comparison that ended has it
results.csv            every row's metrics with their intervals; results.md has the same as tables of text
subsets.csv            models with some of their modalities, where that was asked for
joint_losses.csv       losses and weights of joint training
utterances.csv         who speaks in which clip
skipped.csv            clips that were not used, or only in part
failed.csv             runs that failed, with their causes
report.html            the report; report.md has its words, tables.tex its tables
paired_tests.csv, ...  the report's statistics, ``STATISTICS``
====================== =================================================================================
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.errors import AffuseError, argument
from affuse.failures import SKIPPED
from affuse.files.outputs import Outputs, is_empty
from affuse.training.runfolder import ENVIRONMENT, RunFolder

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus

RUNS = "runs"
RECORD = "comparison.json"
RESULTS = "results.csv"
RESULTS_TEXT = "results.md"
SUBSETS = "subsets.csv"
JOINT_LOSSES = "joint_losses.csv"
UTTERANCES = "utterances.csv"
FAILED = "failed.csv"
PAGE, MARKDOWN, LATEX = "report.html", "report.md", "tables.tex"
STATISTICS = {  # table -> file
    name: f"{name}.csv"
    for name in (
        "paired_tests", "trainings", "calibration", "reliability", "groups", "embeddings", "mistakes", "ratings",
    "raters",
    )
}  # fmt: skip
# All that is written into the folder, besides its runs.
FILES = (
    RECORD, RESULTS, RESULTS_TEXT, SUBSETS, JOINT_LOSSES, UTTERANCES, SKIPPED, FAILED, PAGE, MARKDOWN, LATEX,
    *STATISTICS.values(),
)  # fmt: skip


def run_folder(folder: Path, row: str, fold: int) -> Path:
    """The place of one run; ``row`` is the name of its row's folder (``variants.folder_name``)."""
    return folder / RUNS / row / f"fold{fold}"


def runs_of(folder: Path) -> list[RunFolder]:
    """Every run that was begun, finished or not."""
    return [RunFolder(path.parent) for path in sorted(folder.glob(f"{RUNS}/*/*/{ENVIRONMENT}"))]


def is_comparison(folder: Path) -> bool:
    """Whether a comparison was written here, or begun."""
    return (folder / RECORD).is_file() or next(folder.glob(f"{RUNS}/*/*/{ENVIRONMENT}"), None) is not None


def comparison_outputs(folder: Path, overwrite: bool = False) -> Outputs:
    """What may be written into a comparison's folder: FILES. A folder of an affuse that kept no record is trusted.

    Args:
        folder: the comparison's folder, which need not be there.
        overwrite: files that are not affuse's may be replaced.
    """
    outputs = Outputs.current(folder, "compare", overwrite=overwrite, deep=False)
    if not outputs.recorded and runs_of(folder):
        # an interrupted one has two of them
        outputs.adopt(FILES if (folder / RECORD).is_file() else (SKIPPED, FAILED))
    return outputs


def check_comparison_folder(out: Path, outputs: Outputs) -> None:
    """Raise AffuseError if ``out`` cannot be a comparison's folder, or a file in it is its user's."""
    if RunFolder(out).begun:
        raise AffuseError(f"{out} is the folder of a single run; choose another {argument('out')}.")
    place = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if not place.is_dir():
        raise AffuseError(f"{out} cannot be written: {place} is a file; choose another {argument('out')}.")
    known = outputs.recorded or is_comparison(out)
    if place == out and not known and not is_empty(out):
        raise AffuseError(
            f"{out} holds something other than a comparison; choose a new folder for {argument('out')}."
        )
    outputs.check([out / name for name in FILES])


def check_same_corpus(out: Path, corpus: Corpus) -> None:
    """Raise AffuseError if a comparison on another corpus ended in ``out``, whose tables would be replaced."""
    try:
        title = json.loads((out / RECORD).read_text(encoding="utf-8"))["corpus"]["title"]
    except (OSError, ValueError, KeyError, TypeError):
        return  # none ended there, or whoever reads its record says what is wrong with it
    if title != corpus.info.title:
        raise AffuseError(
            f"{out} holds a comparison on {title}, not on {corpus.info.title}; choose another {argument('out')}."
        )

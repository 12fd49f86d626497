"""The tables of a comparison for reading, in a terminal, a notebook or ``results.md``; all from its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from affuse.evaluation.intervals import speakers_in_words
from affuse.evaluation.measures import ClassMeasure, RatingMeasure, kind_of
from affuse.files import read_csv
from affuse.names import counted, listed
from affuse.reports.tables.joint_losses import joint_loss_table
from affuse.reports.tables.results import paper_table
from affuse.reports.tables.subsets import read_subsets, subset_table
from affuse.training.comparison_folder import JOINT_LOSSES

if TYPE_CHECKING:
    import pandas as pd

    from affuse.reports.report import Report

_UNITS = (
    "Percent: mean over seeds ± standard deviation over seeds [95 % interval over speakers]; utterances of all folds "
    "together."
)
_RATED = "Of {tasks} not in percent: CCC and correlation from -1 to 1, errors in units of the ratings."
_CEILING = "Ceiling: the best possible ACC, or CCC, from the same modalities, known because this corpus is generated."


def result_tables(report: Report) -> list[tuple[str, pd.DataFrame]]:
    """A title and a table per task: a line per row of the comparison; ACC, BACC and weighted F1, or CCC, ..., MAE."""
    results = report.results
    found = []
    for task in dict.fromkeys(results["task"]) if len(results) else ():
        table = report.with_trainings(paper_table(results, task, _columns(results, task)), task)
        first = results[results["task"] == task].iloc[0]
        by = ", ".join(report.record["rows"][0]["protocol"].get("by") or ()) or "utterance"
        counts = (
            counted(int(first[name]), what)
            for name, what in (("folds", "fold"), ("seeds", "seed"), ("n", "test utterance"))
        )
        protocol = str(first["protocol"]).replace("_", " ")
        title = f"{report.record['corpus']['title']}, {task}: {protocol} by {by}, {', '.join(counts)}"
        found.append((title + (f"; {first['stamp']}" if first["stamp"] else ""), table))
    return found


def _columns(results: pd.DataFrame, task: str) -> tuple[str, ...]:
    kind = kind_of([*results.loc[results["task"] == task, "metric"]])
    return (*kind.papers, "weighted_f1") if kind is ClassMeasure else kind.metrics


def other_tables(report: Report) -> list[tuple[str, pd.DataFrame]]:
    """What some comparisons have besides: subsets of the modalities, losses and weights of joint training."""
    tested = read_subsets(report.folder)
    title = report.record["corpus"]["title"]
    found = [
        (
            f"{title}, {task}: each model with only these modalities, the others masked",
            subset_table(tested, task),
        )
        for task in (dict.fromkeys(tested["task"]) if len(tested) else ())
    ]
    path = report.folder / JOINT_LOSSES
    losses = read_csv(path, ("value", "sd_seeds", "seeds", "folds")) if path.is_file() else None
    if losses is not None and len(losses):
        told = "Joint training: unweighted NLL in nats over the utterances of all folds, weights at the end"
        found.append((told, joint_loss_table(losses)))
    return found


def note(report: Report) -> str:
    """What the numbers of ``result_tables`` are, and what their intervals cannot know."""
    rated = [task for task, measure in report.measures.items() if isinstance(measure, RatingMeasure)]
    told = [_UNITS, *([_RATED.format(tasks=listed(rated))] if rated else []), *_speakers(report)]
    if len(report.results) and report.results["ceiling"].notna().any():
        told.append(_CEILING)
    return " ".join(told)


def _speakers(report: Report) -> list[str]:
    people = report.statistics.utterances
    ids = {id for row in report.rows for table in row.tests.values() for id in table["id"]}
    return speakers_in_words(people["speaker"].reindex(sorted(ids))) if len(people) and ids else []

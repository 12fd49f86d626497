"""``subsets.csv``: how a comparison's models do from every subset of their modalities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.measures import SHOWN, kind_of
from affuse.files import read_csv
from affuse.reports.tables.results import (
    RESULT_NUMBERS,
    ceiling,
    paper_table,
    rows_of,
    tables_by_seed,
)
from affuse.training.compare import Comparison
from affuse.training.comparison_folder import SUBSETS
from affuse.training.runfolder import RunFolder
from affuse.training.subsets import subsets_of


def collect_subsets(comparison: Comparison) -> pd.DataFrame:
    """One row per (variant without its seed, subset of its modalities, task, metric); empty where none was asked for.

    The columns are those of ``results.csv`` with the subset ("audio+text") as a further axis, and mean the same;
    ``ceiling`` is that of the subset. Utterances that have none of a subset's modalities are not counted in ``n``.
    """
    rows: list[dict[str, Any]] = []
    for row, cells in rows_of(comparison).items():
        if any(
            cell.folder not in comparison.results or not RunFolder(cell.folder).has_subsets for cell in cells
        ):
            continue
        experiment = comparison.experiments[cells[0].experiment]
        recipe = cells[0].variant.recipe
        speakers = experiment.labelled.table.set_index("id")["speaker"]
        tested = ((c.variant.recipe.seed, RunFolder(c.folder).subset_predictions()) for c in cells)
        by_seed = tables_by_seed(tested).values()
        for subset in subsets_of(list(recipe.modalities)):
            name = "+".join(subset)
            of_subset = recipe.model_copy(update={"modalities": {m: recipe.modalities[m] for m in subset}})
            for task, measure in experiment.measures.items():
                tables = [table[table["modalities"] == name] for table in by_seed]
                tables = [table for table in tables if measure.has_label(table)]
                if not tables:
                    continue
                sums = measure.speaker_sums(tables, speakers)
                measured = [measure.values(table) for table in tables]
                for metric in measure.papers:
                    values = np.array([found[metric] for found in measured])
                    _, low, high = measure.interval(sums, metric)
                    rows.append(
                        dict(row)
                        | {
                            "modalities": name,
                            "protocol": experiment.recipe.protocol.kind,
                            "stamp": experiment.split.stamp,
                            "on_test": experiment.recipe.on_test,
                            "task": task,
                            "metric": metric,
                            "value": values.mean(),
                            "low": low,
                            "high": high,
                            "ceiling": ceiling(experiment, of_subset, task, metric),
                            "sd_seeds": values.std(ddof=1) if len(values) > 1 else np.nan,
                            "sd_folds": np.nan,
                            "n": int(measure.known(tables[0]).sum()),
                            "speakers": len(sums),
                            "seeds": len(tables),
                        }
                    )
    return pd.DataFrame(rows)


def subset_table(subsets: pd.DataFrame, task: str) -> pd.DataFrame:
    """A line per row of the comparison and subset: the metrics as elsewhere, each beside its ceiling, and n."""
    table = paper_table(subsets, task)
    of_task = subsets[subsets["task"] == task]
    kind = kind_of([*of_task["metric"]])
    shown = SHOWN[kind.main]
    of_main = of_task[of_task["metric"] == kind.main]  # one line of the table each, in the same order
    if of_main["ceiling"].notna().any():
        table[f"{shown.name} / ceiling"] = [
            "" if np.isnan(best) else f"{shown.text(value)} / {shown.text(best)}"
            for value, best in zip(of_main["value"], of_main["ceiling"], strict=True)
        ]
    return table.assign(n=of_main["n"].to_numpy())


def read_subsets(folder: Path) -> pd.DataFrame:
    """``subsets.csv`` of a comparison's folder; without lines where there is none."""
    path = folder / SUBSETS
    return read_csv(path, RESULT_NUMBERS) if path.is_file() else pd.DataFrame()

"""``results.csv``: one row per cell, task and metric, from the prediction tables of a comparison's runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.intervals import speaker_confusions, speaker_interval, speakers_in_words
from affuse.evaluation.metrics import Metrics
from affuse.evaluation.predictions import measure_table
from affuse.models.parts import resolve_encoders
from affuse.recipe import Recipe
from affuse.reports.tables.run_tables import ReadRuns
from affuse.training.cells import Cell
from affuse.training.compare import Comparison
from affuse.training.experiment import Experiment
from affuse.training.variants import describe

# field names of the metrics, with the field's other names for them
TITLES = {"acc": "ACC (WA)", "bacc": "BACC (UA)", "macro_f1": "macro F1", "weighted_f1": "weighted F1"}
# the columns of ``results.csv`` and ``subsets.csv`` that hold numbers; the axes and all others are texts
RESULT_NUMBERS = (
    "transcript_overlap", "value", "low", "high", "ceiling", "sd_seeds", "sd_folds", "n", "seeds", "folds",
    "speakers",
)  # fmt: skip


def collect_results(comparison: Comparison, read: ReadRuns | None = None) -> pd.DataFrame:
    """One row per (variant without its seed, task, metric).

    ``value`` is the mean over seeds of the metric over the test utterances of all folds together; ``low`` and
    ``high`` its 95 % interval over speakers (ACC and BACC); ``ceiling`` the best possible value on a
    generated corpus; ``sd_seeds`` and ``sd_folds`` its standard deviation over seeds (NaN for a baseline, which has
    none), and over folds (each averaged over seeds); ``n`` the test utterances, ``speakers`` whose they are (one that
    is not known counts for each of its utterances).
    A variant with an unfinished or failed cell is left out. ``read``: what of the runs was read for this report.
    """
    rows: list[dict[str, Any]] = []
    read = read or ReadRuns()
    for row, cells in rows_of(comparison).items():
        if any(cell.folder not in comparison.results for cell in cells):
            continue
        experiment = comparison.experiments[cells[0].experiment]
        speakers = experiment.labelled.table.set_index("id")["speaker"]
        by_seed = tables_by_seed((c.variant.recipe.seed, read.of(c.folder).test) for c in cells)
        for task, space in experiment.labelled.spaces.items():
            tables = [table for table in by_seed.values() if table[task].isin(space).any()]
            if not tables:
                continue  # no test utterance has this task's label
            measured = [measure_table(table, task, space) for table in tables]
            confusions = speaker_confusions(tables, task, space, speakers)
            # a baseline has no seed: one run of a fold stands for every seed
            seeds = 1 if cells[0].variant.baseline else len(tables)
            for metric in TITLES:
                values = np.array([getattr(m, metric) for m in measured])
                low, high = (
                    speaker_interval(confusions, metric)[1:]
                    if metric in ("acc", "bacc")
                    else (np.nan, np.nan)
                )
                rows.append(
                    dict(row)
                    | {
                        "protocol": experiment.recipe.protocol.kind,
                        "stamp": experiment.split.stamp,
                        "on_test": cells[0].variant.recipe.on_test,
                        "corpus": experiment.corpus.info.title,
                        "transcript_overlap": experiment.transcript_overlap,
                        "task": task,
                        "metric": metric,
                        "value": values.mean(),
                        "low": low,
                        "high": high,
                        "ceiling": ceiling(experiment, cells[0].variant.recipe, task, metric),
                        "sd_seeds": values.std(ddof=1) if seeds > 1 else np.nan,
                        "sd_folds": _fold_deviation(tables, task, space, metric),
                        "n": measured[0].n,
                        "speakers": len(confusions),
                        "seeds": seeds,
                        "folds": tables[0]["fold"].nunique(),
                    }
                )
    return pd.DataFrame(rows)


def ceiling(experiment: Experiment, recipe: Recipe, task: str, metric: str) -> float:
    """The best possible value on a generated corpus for what the recipe's modalities show, 0 to 1.

    NaN where it is not known: on any other corpus, for another label space than the corpus's own, for
    pre-extracted features, and for metrics without one.
    """
    info = experiment.corpus.info
    choice = recipe.tasks[task]
    own_labels = not choice.merge and set(experiment.labelled.spaces[task]) == set(info.label_spaces[task])
    name = {"acc": task, "bacc": f"{task}_bacc"}.get(metric)
    if not info.generated or not own_labels or name is None:
        return float("nan")
    kinds = {encoder.kind for encoder in resolve_encoders(recipe).values()}
    return info.ceilings.get("+".join(sorted(kinds)), {}).get(name, float("nan"))


def rows_of(comparison: Comparison) -> dict[tuple[tuple[str, str], ...], list[Cell]]:
    """The axes that name a table's row -> its cells: all seeds and folds."""
    grouped: dict[tuple[tuple[str, str], ...], list[Cell]] = {}
    for cell in comparison.cells:
        grouped.setdefault(tuple(describe(cell.variant).items()), []).append(cell)
    return grouped


def tested_speakers(comparison: Comparison) -> list[str]:
    """What intervals cannot know of the speakers of the test parts that were run, in sentences."""
    told = []
    for i, experiment in enumerate(comparison.experiments):
        folds = {cell.fold for cell in comparison.cells if cell.experiment == i}
        parts = experiment.split.table
        tested = parts[(parts["role"] == "test") & parts["fold"].isin(folds)].drop_duplicates("id")
        told += speakers_in_words(tested["speaker"])
    return list(dict.fromkeys(told))


def tables_by_seed(parts: Iterable[tuple[int, pd.DataFrame]]) -> dict[int, pd.DataFrame]:
    """(seed, a fold's predictions) -> seed -> predictions of all folds, seeds in order."""
    grouped: dict[int, list[pd.DataFrame]] = {}
    for seed, table in parts:
        grouped.setdefault(seed, []).append(table)
    return {seed: pd.concat(tables, ignore_index=True) for seed, tables in sorted(grouped.items())}


def _fold_deviation(tables: list[pd.DataFrame], task: str, space: list[str], metric: str) -> float:
    folds = sorted(tables[0]["fold"].unique())
    if len(folds) < 2:
        return float("nan")
    means = []
    for fold in folds:
        parts = [table[table["fold"] == fold] for table in tables]
        found: list[Metrics] = [
            measure_table(part, task, space) for part in parts if part[task].isin(space).any()
        ]
        if found:
            means.append(np.mean([getattr(m, metric) for m in found]))
    return float(np.std(means, ddof=1)) if len(means) > 1 else float("nan")


def paper_table(results: pd.DataFrame, task: str, metrics: tuple[str, ...] = ("acc", "bacc")) -> pd.DataFrame:
    """The papers' shape: a row per cell, ACC and BACC in percent as 'mean ± sd over seeds [low, high]'.

    On a generated corpus also the ACC beside the best possible one.
    """
    rows = results[results["task"] == task]
    fixed = list(results.columns[: list(results.columns).index("protocol")])
    table: list[dict[str, str]] = []
    for key, group in rows.groupby(fixed, sort=False):
        line = {name: str(part) for name, part in zip(fixed, key, strict=True)}
        for metric in metrics:
            cell = group[group["metric"] == metric].iloc[0]
            line[TITLES[metric]] = _percent(cell)
            if metric == "acc" and not np.isnan(cell["ceiling"]):
                line["ACC / ceiling"] = f"{100 * cell['value']:.1f} / {100 * cell['ceiling']:.1f}"
        if (rows["stamp"] != "").any():
            line["protocol"] = group.iloc[0]["stamp"] or "speaker-independent"
        if (rows["on_test"] != "").any():
            line["on_test"] = group.iloc[0]["on_test"]
        if not np.isnan(group.iloc[0]["sd_folds"]):
            deviation = group[group["metric"] == "bacc"].iloc[0]["sd_folds"]
            line[f"{TITLES['bacc']}, sd over folds"] = f"{100 * deviation:.1f}"
        table.append(line)
    return pd.DataFrame(table).fillna("")


def markdown_table(table: pd.DataFrame) -> str:
    """A data frame as a Markdown table."""
    lines = ["| " + " | ".join(map(str, table.columns)) + " |", "|" + "---|" * len(table.columns)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines)


def _percent(cell: pd.Series) -> str:
    text = f"{100 * cell['value']:.1f}"
    if not np.isnan(cell["sd_seeds"]):
        text += f" ± {100 * cell['sd_seeds']:.1f}"
    if not np.isnan(cell["low"]):
        text += f" [{100 * cell['low']:.1f}, {100 * cell['high']:.1f}]"
    return text

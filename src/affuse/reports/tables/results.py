"""``results.csv``: one row per cell, task and metric, from the prediction tables of a comparison's runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.intervals import speakers_in_words
from affuse.evaluation.measures import SHOWN, Measure, Shown, kind_of
from affuse.models.parts import resolve_encoders
from affuse.recipe import Recipe
from affuse.reports.tables.run_tables import ReadRuns
from affuse.training.cells import Cell
from affuse.training.compare import Comparison
from affuse.training.experiment import Experiment
from affuse.training.variants import describe

# field names of the metrics, with the field's other names for them
TITLES = {name: shown.title for name, shown in SHOWN.items()}
# the columns of ``results.csv`` and ``subsets.csv`` that hold numbers; the axes and all others are texts
RESULT_NUMBERS = (
    "transcript_overlap", "value", "low", "high", "ceiling", "sd_seeds", "sd_folds", "n", "seeds", "folds",
    "speakers",
)  # fmt: skip


def collect_results(comparison: Comparison, read: ReadRuns | None = None) -> pd.DataFrame:
    """One row per (variant without its seed, task, metric).

    ``value`` is the mean over seeds of the metric over the test utterances of all folds together; ``low`` and
    ``high`` its 95 % interval over speakers (not of F1 scores of classes, nor of mAP); ``ceiling`` the best possible
    value on a generated corpus; ``sd_seeds`` and ``sd_folds`` its standard deviation over seeds (NaN for a baseline,
    which has none), and over folds (each averaged over seeds); ``n`` the test utterances, ``speakers`` whose they are
    (one that is not known counts for each of its utterances).
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
        for task, measure in experiment.measures.items():
            tables = [table for table in by_seed.values() if measure.has_label(table)]
            if not tables:
                continue  # no test utterance has this task's label
            measured = [measure.values(table) for table in tables]
            sums = measure.speaker_sums(tables, speakers)
            deviations = _fold_deviations(tables, measure)
            # a baseline has no seed: one run of a fold stands for every seed
            seeds = 1 if cells[0].variant.baseline else len(tables)
            for metric in measure.metrics:
                values = np.array([of[metric] for of in measured])
                low, high = measure.interval(sums, metric)[1:]
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
                        "sd_folds": deviations.get(metric, np.nan),
                        "n": int(measure.known(tables[0]).sum()),
                        "speakers": len(sums),
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
    if not info.generated:
        return float("nan")
    seen = "+".join(sorted({encoder.kind for encoder in resolve_encoders(recipe).values()}))
    if task in recipe.dimensions:
        return info.rating_ceilings.get(seen, {}).get(task, float("nan")) if metric == "ccc" else float("nan")
    own = set(experiment.labelled.names[task]) == set(info.label_spaces.get(task, ()))
    name = {"acc": task, "bacc": f"{task}_bacc"}.get(metric)
    if recipe.tasks[task].merge or not own or name is None:
        return float("nan")
    return info.ceilings.get(seen, {}).get(name, float("nan"))


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


def _fold_deviations(tables: list[pd.DataFrame], measure: Measure) -> dict[str, float]:
    """Metric -> its standard deviation over folds, each averaged over seeds; none of fewer than two."""
    means: list[dict[str, float]] = []
    for fold in sorted(tables[0]["fold"].unique()):
        parts = [table[table["fold"] == fold] for table in tables]
        found = [measure.values(part) for part in parts if measure.has_label(part)]
        if found:
            means.append({name: float(np.mean([of[name] for of in found])) for name in measure.metrics})
    if len(means) < 2:
        return {}
    return {name: float(np.std([of[name] for of in means], ddof=1)) for name in measure.metrics}


def paper_table(results: pd.DataFrame, task: str, metrics: tuple[str, ...] = ()) -> pd.DataFrame:
    """The papers' shape: a row per cell, a metric as 'mean ± sd over seeds [low, high]', shares in percent.

    On a generated corpus also the ACC or CCC beside the best possible one.

    Args:
        results: Of ``results.csv`` or ``subsets.csv``.
        task: For example "emotion".
        metrics: Of these; default: ACC and BACC, of ratings CCC and RMSE.
    """
    rows = results[results["task"] == task]
    kind = kind_of([*rows["metric"]])
    metrics = metrics or kind.papers
    fixed = list(results.columns[: list(results.columns).index("protocol")])
    table: list[dict[str, str]] = []
    for key, group in rows.groupby(fixed, sort=False):
        line = {name: str(part) for name, part in zip(fixed, key, strict=True)}
        for metric in metrics:
            cell, shown = group[group["metric"] == metric].iloc[0], SHOWN[metric]
            line[shown.title] = _with_spread(cell, shown)
            if metric == metrics[0] and not np.isnan(cell["ceiling"]):
                best = f"{shown.text(cell['value'])} / {shown.text(cell['ceiling'])}"
                line[f"{shown.name} / ceiling"] = best
        if (rows["stamp"] != "").any():
            line["protocol"] = group.iloc[0]["stamp"] or "speaker-independent"
        if (rows["on_test"] != "").any():
            line["on_test"] = group.iloc[0]["on_test"]
        if not np.isnan(group.iloc[0]["sd_folds"]):
            deviation = group[group["metric"] == kind.main].iloc[0]["sd_folds"]
            line[f"{TITLES[kind.main]}, sd over folds"] = SHOWN[kind.main].text(deviation)
        table.append(line)
    return pd.DataFrame(table).fillna("")


def markdown_table(table: pd.DataFrame) -> str:
    """A data frame as a Markdown table."""
    lines = ["| " + " | ".join(map(str, table.columns)) + " |", "|" + "---|" * len(table.columns)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines)


def _with_spread(cell: pd.Series, shown: Shown) -> str:
    text = shown.text(cell["value"])
    if not np.isnan(cell["sd_seeds"]):
        text += f" ± {shown.text(cell['sd_seeds'])}"
    if not np.isnan(cell["low"]):
        text += f" [{shown.text(cell['low'])}, {shown.text(cell['high'])}]"
    return text

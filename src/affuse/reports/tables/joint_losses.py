"""The second paper's Table 1 for any comparison of several tasks: modalities, final weights, losses, ACC and BACC.

Losses of two weightings are on two scales, so the yardstick here is each task's own, unweighted negative log
likelihood, and their plain sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.calibration import probabilities_of, utterance_nll
from affuse.evaluation.measures import KINDS, SHOWN, ClassMeasure, Measure
from affuse.reports.tables.results import rows_of
from affuse.reports.tables.run_tables import ReadRuns
from affuse.training.cells import Cell
from affuse.training.compare import Comparison

PARTS = ("validation", "test")


def joint_losses(comparison: Comparison, read: ReadRuns | None = None) -> pd.DataFrame:
    """One row per (variant without its seed, quantity): value (mean over seeds), sd_seeds, seeds, folds.

    quantity: ``weight_<task>`` at the last epoch (mean over folds); ``<part>_nll_sum``, over utterances of all
    folds and over tasks; ``<part>_nll_mean``, the sum over tasks of ``<part>_nll_mean_<task>``, each the mean
    over the utterances that have the task's label; ``test_acc_<task>``, ``test_bacc_<task>``. NLL is
    unweighted, in nats, of the tasks that have classes; a rating has ``test_ccc_<task>`` and ``test_rmse_<task>``, a
    task of several labels ``test_macro_f1_<task>`` and ``test_micro_f1_<task>``. part: validation or test. A variant
    with an unfinished or failed cell is left out.
    ``read``: what of the runs was read for this report.
    """
    rows: list[dict[str, Any]] = []
    read = read or ReadRuns()
    for row, cells in rows_of(comparison).items():
        if cells[0].variant.baseline or any(cell.folder not in comparison.results for cell in cells):
            continue
        experiment = comparison.experiments[cells[0].experiment]
        measures = experiment.measures
        by_seed: dict[int, list[Cell]] = {}
        for cell in cells:
            by_seed.setdefault(cell.variant.recipe.seed, []).append(cell)
        found = pd.DataFrame([_of_seed(of_seed, measures, read) for of_seed in by_seed.values()])
        for quantity in found.columns:
            values = found[quantity].to_numpy(float)
            rows.append(
                dict(row)
                | {
                    "modalities": "+".join(cells[0].variant.recipe.modalities),
                    "stamp": experiment.split.stamp,
                    "on_test": cells[0].variant.recipe.on_test,
                    "quantity": quantity,
                    "value": values.mean(),
                    "sd_seeds": values.std(ddof=1) if len(values) > 1 else np.nan,
                    "seeds": len(values),
                    "folds": len({cell.fold for cell in cells}),
                }
            )
    return pd.DataFrame(rows)


def _of_seed(cells: Sequence[Cell], measures: Mapping[str, Measure], read: ReadRuns) -> dict[str, float]:
    last = pd.DataFrame(read.of(cell.folder).metrics.iloc[-1] for cell in cells)
    found = {f"weight_{task}": float(last[f"weight_{task}"].mean()) for task in measures}
    spaces = {task: of.space for task, of in measures.items() if isinstance(of, ClassMeasure)}
    for part in PARTS:
        tables = [read.of(cell.folder) for cell in cells]
        parts = [one.test if part == "test" else one.validation for one in tables]
        table = pd.concat(parts, ignore_index=True)
        if not len(table):
            continue
        losses = {
            task: utterance_nll(*probabilities_of(table, task, space)) for task, space in spaces.items()
        }
        if losses:
            found[f"{part}_nll_sum"] = float(sum(loss.sum() for loss in losses.values()))
            found[f"{part}_nll_mean"] = float(sum(loss.mean() for loss in losses.values() if len(loss)))
        for task, loss in losses.items():
            if len(loss):
                found[f"{part}_nll_mean_{task}"] = float(loss.mean())
        if part == "test":
            for task, measure in measures.items():
                if measure.has_label(table):
                    measured = measure.values(table)
                    found |= {f"test_{name}_{task}": measured[name] for name in measure.papers}
    return found


def joint_loss_table(losses: pd.DataFrame) -> pd.DataFrame:
    """Table 1's shape as text: a row per variant.

    Losses read 'sum; mean = task + task': the sum over utterances and tasks, the mean per utterance, and each
    task's share of that mean. ACC and BACC in percent. ± is the standard deviation over seeds.
    """
    lines: list[dict[str, str]] = []
    fixed = list(losses.columns[: list(losses.columns).index("modalities") + 1])
    for key, group in losses.groupby(fixed, sort=False, dropna=False):
        found = {
            quantity: (float(value), float(sd))
            for quantity, value, sd in group[["quantity", "value", "sd_seeds"]].itertuples(index=False)
        }
        tasks = [name.removeprefix("weight_") for name in found if name.startswith("weight_")]
        line = dict(zip(fixed, map(str, key), strict=True))
        weights = [f"{found[f'weight_{task}'][0]:.3f}" for task in tasks]
        line[f"weights ({', '.join(tasks)})"] = ", ".join(weights)
        for part in PARTS:
            if f"{part}_nll_sum" not in found:
                continue
            classes = [task for task in tasks if f"{part}_nll_mean_{task}" in found]
            shares = " + ".join(f"{found[f'{part}_nll_mean_{task}'][0]:.3f}" for task in classes)
            total, mean = _with_sd(*found[f"{part}_nll_sum"], 1), _with_sd(*found[f"{part}_nll_mean"], 3)
            line[f"{part} NLL: sum; mean = {' + '.join(classes)}"] = f"{total}; {mean} = {shares}"
        for task in tasks:
            kind = next((one for one in KINDS if f"test_{one.main}_{task}" in found), ClassMeasure)
            for metric in kind.papers:
                value, sd = found.get(f"test_{metric}_{task}", (np.nan, np.nan))
                shown = SHOWN[metric]
                line[f"{task} {shown.title}"] = (
                    "" if np.isnan(value) else _with_sd(shown.factor * value, shown.factor * sd, shown.digits)
                )
        for about in ("stamp", "on_test"):
            if (losses[about] != "").any():
                line["protocol" if about == "stamp" else about] = group.iloc[0][about]
        lines.append(line)
    return pd.DataFrame(lines).fillna("")


def _with_sd(value: float, sd: float, digits: int) -> str:
    return f"{value:.{digits}f}" if np.isnan(sd) else f"{value:.{digits}f} ± {sd:.{digits}f}"

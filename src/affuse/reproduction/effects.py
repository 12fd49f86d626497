"""What each switch does to the numbers: switched minus base, over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.over_runs import over_runs
from affuse.evaluation.predictions import measure_table
from affuse.reports.tables.results import rows_of
from affuse.reports.tables.rows import Row, Run
from affuse.reports.tables.run_tables import ReadRuns
from affuse.reproduction.definition import Switch
from affuse.reproduction.report.claims import untrained_rows
from affuse.training.cells import Cell
from affuse.training.compare import Comparison

BASE = "base"


def untrained_variants(comparison: Comparison, read: ReadRuns | None = None) -> dict[str, str]:
    """Name of a base or switched variant -> why its trainings are not to be judged by; see ``reports.convergence``.

    ``read``: what of the runs was read for this report.
    """
    found, read = {}, read or ReadRuns()
    for settings, cells in rows_of(comparison).items():
        if any(cell.folder not in comparison.results for cell in cells):
            continue
        runs = [
            Run(cell.folder, cell.fold, cell.variant.recipe.seed, {"best_epoch": done.best_epoch}, read)
            for cell in cells
            for done in [comparison.results[cell.folder]]
        ]
        recipe, experiment = cells[0].variant.recipe, comparison.experiments[cells[0].experiment]
        row = Row(dict(settings), tuple(recipe.modalities), experiment.split.hash, recipe.on_test, runs)
        if why := untrained_rows([row], experiment.labelled.spaces).get(row):
            found[row.settings["row"]] = why
    return found


def effects(
    pairs: Sequence[tuple[Switch, str, str, str]],
    comparison: Comparison,
    seeds: Sequence[int],
    untrained: Mapping[str, str] | None = None,
    read: ReadRuns | None = None,
) -> pd.DataFrame:
    """One row per switch, row and metric: base, switched, effect, low, high (percent), seeds, on_test, trainings.

    trainings: of base and switched, why they did not train well enough (``untrained_variants``), blank where they did.
    ``read``: what of the runs was read for this report.
    """
    untrained, read = untrained or {}, read or ReadRuns()
    found = {}
    for name in dict.fromkeys(name for _, _, *names in pairs for name in names):
        for seed in seeds:
            cells = [
                cell
                for cell in comparison.cells
                if cell.variant.settings["row"] == name and cell.variant.recipe.seed == seed
            ]
            if all(cell.folder in comparison.results for cell in cells):
                spaces = comparison.experiments[cells[0].experiment].labelled.spaces
                found[name, seed] = _pooled_metrics(cells, spaces, read)
    on_test = {cell.variant.settings["row"]: cell.variant.recipe.on_test for cell in comparison.cells}
    rows: list[dict[str, Any]] = []
    for switch, row, base, switched in pairs:
        pair = {BASE: untrained.get(base), "switched": untrained.get(switched)}
        trainings = " | ".join(f"{name}: {why}" for name, why in pair.items() if why)
        both = [seed for seed in seeds if (base, seed) in found and (switched, seed) in found]
        for metric in found[base, both[0]] if both else ():
            of_base = np.array([100 * found[base, seed][metric] for seed in both])
            of_switched = np.array([100 * found[switched, seed][metric] for seed in both])
            effect, low, high = over_runs(of_switched - of_base)
            rows.append(
                {
                    "switch": switch.name, "row": row, "metric": metric, "base": of_base.mean(),
                    "switched": of_switched.mean(), "effect": effect, "low": low, "high": high, "seeds": len(both),
                    "on_test": on_test[switched], "trainings": trainings,
                    "does": " ".join(switch.does.split()), "source": switch.source,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def effects_table(effects: pd.DataFrame) -> pd.DataFrame:
    """Switch, row and, for each metric, 'base -> switched: effect [low, high]' in percent points."""
    lines = []
    for (switch, row), group in effects.groupby(["switch", "row"], sort=False) if len(effects) else ():
        mark = "†" if group["on_test"].iloc[0] else ""
        line: dict[str, object] = {"switch": f"{switch}{mark}", "row": row}
        for one in group.to_dict("records"):
            interval = "" if np.isnan(one["low"]) else f" [{one['low']:+.1f}, {one['high']:+.1f}]"
            line[f"{one['metric'].replace('_', ' ').replace('bacc', 'BACC').replace('acc', 'ACC')}"] = (
                f"{one['base']:.1f} → {one['switched']:.1f}: {one['effect']:+.1f}{interval}"
            )
        lines.append(line)
    return pd.DataFrame(lines).fillna("")


def _pooled_metrics(
    cells: Sequence[Cell], spaces: Mapping[str, Sequence[str]], read: ReadRuns
) -> dict[str, float]:
    """ACC and BACC (0 to 1) by task over the test utterances of all folds of one seed."""
    table = pd.concat([read.of(cell.folder).test for cell in cells], ignore_index=True)
    found = {}
    for task, space in spaces.items():
        if table[task].isin(list(space)).any():
            measured = measure_table(table, task, space)
            found |= {f"{task}_acc": measured.acc, f"{task}_bacc": measured.bacc}
    return found

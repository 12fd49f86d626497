"""One switch at a time: what each departure of the authors' code alone does to the numbers of an honest run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.errors import AffuseError
from affuse.evaluation.over_runs import over_runs
from affuse.evaluation.predictions import measure_table
from affuse.progress import Progress
from affuse.reports.tables.results import rows_of
from affuse.reports.tables.rows import Row, Run
from affuse.reproduction.definition import Changes, Paper, Switch, read_definition, read_switches
from affuse.reproduction.grid import (
    MISSING,
    Form,
    build_recipe,
    check_corpus,
    check_prefixes,
    choose_split,
    conditions,
    meets,
)
from affuse.reproduction.report.claims import untrained_rows
from affuse.reproduction.utterances import check_utterances
from affuse.training.cache import FeatureCache
from affuse.training.cells import Cell
from affuse.training.compare import Comparison, compare
from affuse.training.runfolder import RunFolder
from affuse.training.variants import Variant

BASE = "base"


def run_switches(
    name: str,
    paper: Paper,
    corpus: Corpus,
    out: Path,
    form: Form,
    cache: FeatureCache,
    progress: Progress,
    jobs: int | None,
    device: str,
) -> tuple[pd.DataFrame, list[str], list[tuple[Cell, str]]]:
    """Train base and switched cells; ``effects`` of them, notes, and the cells that failed.

    Runs of one seed share their random split, which is drawn by the seed too. Finished cells are never run again.
    """
    plan = read_switches(name)
    definition = read_definition(name, plan.protocol)
    check_corpus(paper, corpus)
    check_prefixes(form, {cell.recipe for cell in definition.cells})
    split = choose_split(definition.splits, corpus, plan.protocol)
    conditional, notes = conditions(definition.where, corpus)
    cells = {cell.row: cell for cell in definition.cells}
    seeds = form.seeds or tuple(plan.seeds)
    common: Changes = {"protocol": split} | definition.set | conditional | plan.set
    variants: dict[str, Variant] = {}
    pairs: list[tuple[Switch, str, str, str]] = []  # switch, row, names of its base and its switched variant

    def add(name: str, row: str, changes: Changes) -> str:
        for seed in seeds:
            drawn = {**changes.get("protocol", split), "seed": seed}
            last = changes | {"seed": seed, "protocol": drawn}
            recipe = build_recipe(paper, cells[row], common | cells[row].set, definition.encoders, form, last)
            variants[f"{name}/{seed}"] = Variant({"row": name, "seed": str(seed)}, recipe)
        return name

    bases: dict[tuple[str, str], str] = {}
    for switch in plan.switches:
        if not meets(corpus, switch.where):
            notes.append(f"{switch.name}: not measured, for {corpus.info.name} {MISSING[switch.where]}.")
            continue
        for row in switch.rows:
            key = row, repr(switch.base)
            if key not in bases:
                bases[key] = add(
                    f"{row}: {f'{BASE} of {switch.name}' if switch.base else BASE}", row, switch.base
                )
            switched = add(f"{row}: {switch.name}", row, switch.base | switch.set)
            pairs.append((switch, row, bases[key], switched))
    if not pairs:
        raise AffuseError(f"{corpus.info.name} has what none of the switches needs; see docs/protocols.md.")
    comparison = compare(list(variants.values()), corpus, out, cache, progress, jobs=jobs, device=device)
    notes += check_utterances(paper, definition, corpus, [one.recipe for one in variants.values()][:1])
    notes.append(
        f"Base: the {plan.protocol} protocol{' in its small form' if form.is_small else ''}. Seeds: "
        f"{', '.join(map(str, seeds))}. Effect: switched minus base, mean over seeds with its 95 % interval by "
        "Student's t; it shows the noise of training and splitting on this corpus, not that of another corpus."
    )
    untrained = untrained_variants(comparison)
    if untrained:
        told = "; ".join(f"{row}: {why}" for row, why in untrained.items())
        notes.append(
            f"These did not train well enough, so that effects beside them may be no more than that: {told}."
        )
    return effects(pairs, comparison, seeds, untrained), notes, comparison.failed


def untrained_variants(comparison: Comparison) -> dict[str, str]:
    """Name of a base or switched variant -> why its trainings are not to be judged by; see ``reports.convergence``."""
    found = {}
    for settings, cells in rows_of(comparison).items():
        if any(cell.folder not in comparison.results for cell in cells):
            continue
        runs = [
            Run(cell.folder, cell.fold, cell.variant.recipe.seed, {"best_epoch": done.best_epoch})
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
) -> pd.DataFrame:
    """One row per switch, row and metric: base, switched, effect, low, high (percent), seeds, on_test, trainings.

    trainings: of base and switched, why they did not train well enough (``untrained_variants``), blank where they did.
    """
    untrained = untrained or {}
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
                found[name, seed] = _pooled_metrics(cells, spaces)
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


def _pooled_metrics(cells: Sequence[Cell], spaces: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """ACC and BACC (0 to 1) by task over the test utterances of all folds of one seed."""
    table = pd.concat([RunFolder(cell.folder).predictions("test") for cell in cells], ignore_index=True)
    found = {}
    for task, space in spaces.items():
        if table[task].isin(list(space)).any():
            measured = measure_table(table, task, space)
            found |= {f"{task}_acc": measured.acc, f"{task}_bacc": measured.bacc}
    return found

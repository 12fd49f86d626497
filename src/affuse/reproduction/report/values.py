"""A paper's published numbers beside those of its protocols: the rows of ``reproduction.csv``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from affuse.evaluation.calibration import probabilities_of, utterance_nll
from affuse.evaluation.over_runs import over_runs
from affuse.reports.tables.results import TITLES, rows_of
from affuse.reproduction.definition import Definition, Paper, published
from affuse.reproduction.grid import Grid
from affuse.reproduction.utterances import is_corpus_of
from affuse.training.cells import Cell
from affuse.training.compare import Comparison
from affuse.training.runfolder import RunFolder

COLUMNS = [
    "paper", "table", "row", "metric", "published", "note", "protocol", "value", "low", "high", "seeds", "n", "inside",
    "stamp", "on_test", "trainings", "lambda", "failed",
]  # fmt: skip
NUMBERS = ("published", "value", "low", "high", "seeds", "n")  # the columns of numbers
METRICS = {
    "acc": TITLES["acc"],
    "bacc": TITLES["bacc"],
    "nll_validation": "NLL, validation: sum, weighted",
    "nll_validation_mean": "NLL, validation: mean, unweighted",
    "weight_emotion": "weight of emotion",
    "weight_gender": "weight of gender",
    "emotion_acc": f"emotion {TITLES['acc']}",
    "emotion_bacc": f"emotion {TITLES['bacc']}",
    "gender_acc": f"gender {TITLES['acc']}",
    "gender_bacc": f"gender {TITLES['bacc']}",
}
PERCENT = ("acc", "bacc")  # endings of metrics in percent
LAMBDA_ON_TEST = "lambda chosen on the test part"


class ProtocolRun(NamedTuple):
    """One protocol's grid with what came of it."""

    name: str
    definition: Definition
    grid: Grid
    comparison: Comparison
    results: pd.DataFrame  # the rows of its results.csv
    trainings: pd.DataFrame  # the rows of its trainings.csv


def reproduction_rows(
    paper: Paper, runs: Sequence[ProtocolRun], untrained: Mapping[tuple[str, str], str] | None = None
) -> pd.DataFrame:
    """COLUMNS: one row per protocol, published row and metric; ACC and BACC in percent, NLL in nats.

    ``low`` and ``high``: 95 % interval, over speakers for ACC and BACC, by Student's t over runs (seeds and folds) for
    the others. ``inside``: yes or no, whether the published number lies in the honest interval; blank elsewhere, and
    on any corpus but the paper's with the paper's utterances. ``stamp``: of the protocol's split. ``on_test``: what
    was chosen on the test part, or trained on it; blank: nothing. ``trainings``: why no difference of the row is
    judged (``untrained``: protocol and variant's name -> why), blank where it trained. ``failed``: yes where cells of
    the row failed, which then has no value. A row without a validation part has no NLL.
    """
    numbers = published(paper.published)
    rows: list[dict[str, Any]] = []
    for run in runs:
        found = _joint_values(run) if paper.kind == "joint" else {}
        shares = _test_values(run, paper.kind)
        broken = {cell.variant.settings["row"] for cell, _ in run.comparison.failed}
        for row, names in run.grid.rows.items():
            chosen = max(names, key=lambda name: shares.get((name, "order"), {}).get("value", -np.inf))
            weight = chosen.rpartition("lambda ")[2] if len(names) > 1 else ""
            values = {m: v for (name, m), v in (shares | found).items() if name == chosen and m in METRICS}
            printed = numbers[numbers["row"] == row]
            table = printed["table"].iloc[0] if len(printed) else ""
            # a row that failed has the lines of the others
            measured = values or {m: None for _, m in (shares | found) if m in METRICS}
            for metric in dict.fromkeys([*printed["metric"], *measured]):
                line = printed[printed["metric"] == metric]
                rows.append(
                    {
                        "paper": paper.published,
                        "table": table,
                        "row": row,
                        "metric": metric,
                        "published": float(line["value"].iloc[0]) if len(line) else np.nan,
                        "note": note_of(numbers, row, metric),
                        "protocol": run.name,
                        **values.get(
                            metric, {"value": np.nan, "low": np.nan, "high": np.nan, "seeds": 0, "n": 0}
                        ),
                        "stamp": run.comparison.experiments[0].split.stamp,
                        "on_test": _on_test(run, chosen, len(names) > 1),
                        "trainings": (untrained or {}).get((run.name, chosen), ""),
                        "lambda": weight,
                        "failed": "yes" if broken.intersection(names) == set(names) else "",
                    }
                )
    frame = pd.DataFrame(rows)
    same = same_corpus(paper, runs)
    frame["inside"] = [inside(row, same) for row in frame.to_dict("records")]
    order = {name: i for i, name in enumerate(METRICS)}
    first = {row: i for i, row in enumerate(dict.fromkeys(frame["row"]))}
    keys = pd.DataFrame({"row": frame["row"].map(first), "metric": frame["metric"].map(order)})
    return frame.loc[keys.sort_values(["row", "metric"], kind="stable").index, COLUMNS].reset_index(drop=True)


def same_corpus(paper: Paper, runs: Sequence[ProtocolRun]) -> bool:
    """Whether published numbers and these are of the same utterances, so that they can be compared."""
    corpus = runs[0].comparison.experiments[0].corpus
    return is_corpus_of(paper, corpus) and not any(run.grid.other_utterances for run in runs)


def note_of(numbers: pd.DataFrame, row: str, metric: str) -> str:
    """What is known against a published number, or ""."""
    printed = numbers[numbers["row"] == row]
    note = "".join(printed.loc[printed["metric"] == metric, "note"])
    if not note.startswith("see "):
        return note
    return "".join(printed.loc[printed["metric"] == note.removeprefix("see "), "note"])


def inside(row: Mapping[Any, Any], same: bool) -> str:
    """Yes or no, whether a line's published number lies in its honest interval; '' where they cannot be compared.

    same: whether both are of the paper's utterances.
    """
    if not same or row["protocol"] != "honest" or np.isnan(row["published"]) or np.isnan(row["low"]):
        return ""
    return "yes" if row["low"] <= row["published"] <= row["high"] else "no"


def _on_test(run: ProtocolRun, name: str, lambdas: bool) -> str:
    recipe = next(
        cell.variant.recipe for cell in run.comparison.cells if cell.variant.settings["row"] == name
    )
    return "; ".join(filter(None, (recipe.on_test, LAMBDA_ON_TEST if lambdas else "")))


def _test_values(run: ProtocolRun, kind: str) -> dict[tuple[str, str], dict[str, Any]]:
    """(variant's name, metric) -> value, low, high, seeds, n of the test part; "order" ranks the lambdas."""
    results = run.results
    values: dict[tuple[str, str], dict[str, Any]] = {}
    for row in results[results["metric"].isin(PERCENT)].to_dict("records") if len(results) else ():
        if kind == "classification" and row["task"] != "emotion":
            continue
        metric = row["metric"] if kind == "classification" else f"{row['task']}_{row['metric']}"
        values[row["row"], metric] = {
            "value": 100 * row["value"], "low": 100 * row["low"], "high": 100 * row["high"],
            "seeds": row["seeds"], "n": row["n"],
        }  # fmt: skip
        if row["task"] == "emotion" and row["metric"] == "acc":
            values[row["row"], "order"] = values[row["row"], metric]
    return values


def _joint_values(run: ProtocolRun) -> dict[tuple[str, str], dict[str, Any]]:
    """The same for NLL and task weights: mean over runs, interval by Student's t over them."""
    values: dict[tuple[str, str], dict[str, Any]] = {}
    for settings, cells in rows_of(run.comparison).items():
        if any(cell.folder not in run.comparison.results for cell in cells):
            continue
        spaces = run.comparison.experiments[cells[0].experiment].labelled.spaces
        found = pd.DataFrame([joint_numbers(cell, run.comparison, spaces) for cell in cells])
        for metric in found.columns.drop("n"):
            value, low, high = over_runs(
                found[metric].to_numpy(float), fixed=str(metric).startswith("weight_")
            )
            values[dict(settings)["row"], str(metric)] = {
                "value": value, "low": low, "high": high, "n": round(found["n"].mean()),
                "seeds": len({cell.variant.recipe.seed for cell in cells}),
            }  # fmt: skip
    return values


def joint_numbers(
    cell: Cell, comparison: Comparison, spaces: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Of one run: NLL over its validation part (sum, weighted as at the chosen epoch; mean, unweighted), weights."""
    history = RunFolder(cell.folder).metrics().set_index("epoch")
    last, best = history.iloc[-1], history.loc[comparison.results[cell.folder].best_epoch]
    table = RunFolder(cell.folder).predictions("validation")
    losses = {task: utterance_nll(*probabilities_of(table, task, space)) for task, space in spaces.items()}
    found = {f"weight_{task}": float(last[f"weight_{task}"]) for task in spaces}
    if len(table):
        found["nll_validation"] = float(
            sum(best[f"weight_{task}"] * loss.sum() for task, loss in losses.items())
        )
        found["nll_validation_mean"] = float(sum(loss.mean() for loss in losses.values() if len(loss)))
    return found | {"n": len(table)}

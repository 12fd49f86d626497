"""A paper's published numbers beside those of its protocols: ``reproduction.csv``, ``reproduction.md``, one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from affuse.evaluation.calibration import probabilities_of, utterance_nll
from affuse.evaluation.predictions import measure_table
from affuse.files import write_csv, write_json, write_text
from affuse.reports.results import TITLES, markdown_table, read_predictions, rows_of
from affuse.reproduction.definition import Definition, Paper, published
from affuse.reproduction.grid import Grid
from affuse.training.compare import Cell, Comparison

COLUMNS = [
    "paper", "table", "row", "metric", "published", "note", "protocol", "value", "low", "high", "seeds", "n", "inside",
    "on_test", "lambda",
]  # fmt: skip
RECORD = "reproduction.json"
FORMAT = 1
NAMES = {"written": "as written", "coded": "as coded", "honest": "honest"}
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
MARKS = "†‡§¶"


class ProtocolRun(NamedTuple):
    """One protocol's grid with what came of it."""

    name: str
    definition: Definition
    grid: Grid
    comparison: Comparison
    results: pd.DataFrame  # the rows of its results.csv


def reproduction_rows(paper: Paper, runs: Sequence[ProtocolRun]) -> pd.DataFrame:
    """COLUMNS: one row per protocol, published row and metric; ACC and BACC in percent, NLL in nats.

    ``low`` and ``high``: 95 % interval, by bootstrap over speakers for ACC and BACC, by Student's t over runs
    (seeds and folds) for the others. ``inside``: yes or no, whether the published number lies in the honest
    interval; blank elsewhere. ``on_test``: what was chosen on the test part, or trained on it; blank: nothing. A row
    whose cells failed has no value.
    """
    numbers = published(paper.published)
    rows: list[dict[str, Any]] = []
    for run in runs:
        found = _joint_values(run) if paper.kind == "joint" else {}
        shares = _test_values(run, paper.kind)
        for row, names in run.grid.rows.items():
            chosen = max(names, key=lambda name: shares.get((name, "order"), {}).get("value", -np.inf))
            weight = chosen.rpartition("lambda ")[2] if len(names) > 1 else ""
            values = {m: v for (name, m), v in (shares | found).items() if name == chosen and m in METRICS}
            printed = numbers[numbers["row"] == row]
            table = printed["table"].iloc[0] if len(printed) else ""
            for metric in dict.fromkeys([*printed["metric"], *values]):
                line = printed[printed["metric"] == metric]
                rows.append(
                    {
                        "paper": paper.published,
                        "table": table,
                        "row": row,
                        "metric": metric,
                        "published": float(line["value"].iloc[0]) if len(line) else np.nan,
                        "note": _note(printed, metric),
                        "protocol": run.name,
                        **values.get(
                            metric, {"value": np.nan, "low": np.nan, "high": np.nan, "seeds": 0, "n": 0}
                        ),
                        "on_test": _on_test(run, chosen, len(names) > 1),
                        "lambda": weight,
                    }
                )
    frame = pd.DataFrame(rows)
    frame["inside"] = [_inside(row) for row in frame.to_dict("records")]
    order = {name: i for i, name in enumerate(METRICS)}
    first = {row: i for i, row in enumerate(dict.fromkeys(frame["row"]))}
    keys = pd.DataFrame({"row": frame["row"].map(first), "metric": frame["metric"].map(order)})
    return frame.loc[keys.sort_values(["row", "metric"], kind="stable").index, COLUMNS].reset_index(drop=True)


def _note(printed: pd.DataFrame, metric: str) -> str:
    note = "".join(printed.loc[printed["metric"] == metric, "note"])
    if not note.startswith("see "):
        return note
    return "".join(printed.loc[printed["metric"] == note.removeprefix("see "), "note"])


def _inside(row: Mapping[Any, Any]) -> str:
    if row["protocol"] != "honest" or np.isnan(row["published"]) or np.isnan(row["low"]):
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
            value, low, high = over_runs(found[metric].to_numpy(float))
            values[dict(settings)["row"], str(metric)] = {
                "value": value, "low": low, "high": high, "n": round(found["n"].mean()),
                "seeds": len({cell.variant.recipe.seed for cell in cells}),
            }  # fmt: skip
    return values


def joint_numbers(
    cell: Cell, comparison: Comparison, spaces: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Of one run: NLL over its validation part (sum, weighted as at the chosen epoch; mean, unweighted), weights."""
    history = pd.read_csv(cell.folder / "metrics.csv").set_index("epoch")
    last, best = history.iloc[-1], history.loc[comparison.results[cell.folder].best_epoch]
    table = read_predictions(cell.folder, "validation")
    losses = {task: utterance_nll(*probabilities_of(table, task, space)) for task, space in spaces.items()}
    found = {f"weight_{task}": float(last[f"weight_{task}"]) for task in spaces}
    if len(table):
        found["nll_validation"] = float(
            sum(best[f"weight_{task}"] * loss.sum() for task, loss in losses.items())
        )
        found["nll_validation_mean"] = float(sum(loss.mean() for loss in losses.values() if len(loss)))
    return found | {"n": len(table)}


def over_runs(values: np.ndarray) -> tuple[float, float, float]:
    """Mean and its 95 % interval by Student's t; no interval for a single run."""
    mean = float(values.mean())
    if len(values) < 2:
        return mean, float("nan"), float("nan")
    error = float(stats.sem(values))
    if error == 0:  # weights that are fixed
        return mean, mean, mean
    low, high = stats.t.interval(0.95, len(values) - 1, loc=mean, scale=error)
    return mean, float(low), float(high)


def reproduction_table(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """A row per published row and metric: published | as written | as coded | honest; and the footnotes.

    Cells read 'value (difference to the published number)', honest ones 'value [low, high] (difference)'. Letters
    point at what is known against a published number, † ‡ § ¶ at what was chosen on the test part.
    """
    protocols = [name for name in NAMES if name in set(frame["protocol"])]
    reasons = list(dict.fromkeys(part for text in frame["on_test"] for part in text.split("; ") if part))
    notes = list(dict.fromkeys(note for note in frame["note"] if note))
    lines = []
    for (row, metric), group in frame.groupby(["row", "metric"], sort=False):
        first = group.iloc[0]
        letter = f" ({_letter(notes.index(first['note']))})" if first["note"] else ""
        printed = (
            ""
            if np.isnan(first["published"])
            else f"{_number(first['published'], str(metric), True)}{letter}"
        )
        line = {"row": row, "metric": METRICS.get(str(metric), metric), "published": printed}
        for protocol in protocols:
            found = group[group["protocol"] == protocol]
            line[NAMES[protocol]] = _cell(found.iloc[0], reasons) if len(found) else ""
        if "honest" in protocols:
            line["published inside honest interval"] = "".join(group["inside"])
        lines.append(line)
    footnotes = [f"({_letter(i)}) published: {note}." for i, note in enumerate(notes)]
    footnotes += [f"{MARKS[i]} {reason}." for i, reason in enumerate(reasons)]
    return pd.DataFrame(lines), footnotes


def _cell(row: pd.Series, reasons: list[str]) -> str:
    if np.isnan(row["value"]):
        return "failed"
    marks = "".join(MARKS[reasons.index(part)] for part in row["on_test"].split("; ") if part)
    text = _number(row["value"], row["metric"]) + marks
    if row["protocol"] == "honest" and not np.isnan(row["low"]):
        text += f" [{_number(row['low'], row['metric'])}, {_number(row['high'], row['metric'])}]"
    if not np.isnan(row["published"]):
        text += f" ({_number(row['value'] - row['published'], row['metric'], signed=True)})"
    return text + (f" lambda {row['lambda']}" if row["lambda"] else "")


def _number(value: float, metric: str, printed: bool = False, signed: bool = False) -> str:
    digits = 1 if metric.endswith(PERCENT) or metric == "nll_validation" else 3
    digits += 1 if printed else 0  # published numbers keep their own digits
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"


def _letter(index: int) -> str:
    return chr(ord("a") + index)


def write_reproduction(
    out: Path, paper: Paper, runs: Sequence[ProtocolRun], frame: pd.DataFrame, form_notes: Sequence[str]
) -> dict[str, Any]:
    """Write reproduction.csv, reproduction.md and reproduction.json; return the record (the last one's content)."""
    table, footnotes = reproduction_table(frame)
    corpus = runs[0].comparison.experiments[0].corpus.info
    told = [
        f"The published numbers are of {paper.corpus}, these of {corpus.title}: differences between them say nothing "
        "about the paper."
    ]
    if corpus.name == paper.corpus:
        told = []
    record = {
        "format": FORMAT,
        "title": f"{paper.title[0].upper()}{paper.title[1:]}, corpus: {corpus.title}",
        "paper": paper.published,
        "corpus": corpus.title,
        "generated": corpus.generated,
        "notes": [*form_notes, *told, *paper.caveats],
        "footnotes": footnotes,
        "protocols": [_about(run, out) for run in runs],
        "legend": (
            "ACC and BACC in percent, test utterances of all folds together, mean over seeds; in parentheses the "
            "difference to the published number. Intervals are 95 %: by bootstrap over speakers for ACC and BACC, by "
            "Student's t over runs for NLL and weights."
        ),
    }
    write_csv(out / "reproduction.csv", frame)
    pages = [f"# {record['title']}", *record["notes"], markdown_table(table), record["legend"], *footnotes]
    for about in record["protocols"]:
        pages.append(f"**{about['name']}**: {about['description']} {' '.join(about['notes'])}".strip())
    write_text(out / "reproduction.md", "\n\n".join(pages) + "\n")
    write_json(out / RECORD, record)
    return record


def _about(run: ProtocolRun, out: Path) -> dict[str, Any]:
    experiment = run.comparison.experiments[0]
    seeds = sorted({cell.variant.recipe.seed for cell in run.comparison.cells})
    stamp = f"Its split is {experiment.split.stamp}." if experiment.split.stamp else ""
    size = (
        f"Seeds: {', '.join(map(str, seeds))}; {experiment.recipe.protocol.kind} by "
        f"{', '.join(experiment.recipe.protocol.by) or 'utterance'}, {len({c.fold for c in run.comparison.cells})} "
        f"of {len(experiment.split.folds)} folds, {len(experiment.labelled.table)} utterances."
    )
    return {
        "id": run.name,
        "name": NAMES[run.name],
        "folder": run.name,
        "description": " ".join(run.definition.description.split()),
        "notes": [note for note in (size, stamp, *run.grid.notes, *experiment.notes) if note],
        "on_test": sorted(
            {run.comparison.cells[i].variant.recipe.on_test for i in range(len(run.comparison.cells))} - {""}
        ),
        "failed": [
            f"{cell.folder.relative_to(out).as_posix()}: {cause}" for cell, cause in run.comparison.failed
        ],
    }


def pooled_metrics(cells: Sequence[Cell], spaces: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """ACC and BACC (0 to 1) by task over the test utterances of all folds of one seed."""
    table = pd.concat([read_predictions(cell.folder, "test") for cell in cells], ignore_index=True)
    found = {}
    for task, space in spaces.items():
        if table[task].isin(list(space)).any():
            measured = measure_table(table, task, space)
            found |= {f"{task}_acc": measured.acc, f"{task}_bacc": measured.bacc}
    return found

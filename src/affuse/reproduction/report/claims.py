"""``claims.csv``: what the paper says of two of its rows, and what each protocol's runs say of the same two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.measures import ClassMeasure
from affuse.evaluation.p_values import holm
from affuse.reports.record import read_record
from affuse.reports.tables.convergence import reasons_of, training_table
from affuse.reports.tables.paired import (
    NOT_SIGNIFICANT,
    THESE_RUNS,
    UNJUDGED,
    UNTESTED,
    compare_rows,
    judge,
    why_untrained,
)
from affuse.reports.tables.paired_nll import compare_nll
from affuse.reports.tables.rows import Row, read_rows
from affuse.reports.tables.statistics import of_task
from affuse.reports.tables.utterances import read_utterances
from affuse.reproduction.definition import Claim, Paper, published
from affuse.reproduction.report.values import note_of

COLUMNS = [
    "claim", "source", "row", "over", "better", "metric", "published", "protocol", "difference", "low", "high",
    "p", "p_holm", "resampled_p", "resampled_p_holm", "n", "speakers", "detectable", "stamp", "on_test",
    "trainings", "verdict", "note",
]  # fmt: skip
NUMBERS = (  # the columns of numbers
    "published", "difference", "low", "high", "p", "p_holm", "resampled_p", "resampled_p_holm", "n", "speakers",
    "detectable",
)  # fmt: skip
JUDGES = ("honest", "written")  # the protocol whose tests judge the claims: the first that was run
NOTES = " | "  # between the notes on two published numbers
HOLDS, OPPOSITE = "confirmed", "contradicted"
ONLY_RUNS, OPPOSITE_RUNS = "confirmed in these runs only", "contradicted in these runs only"
_EMPTY = dict.fromkeys(
    ("difference", "low", "high", "p", "resampled_p", "speakers", "detectable"), float("nan")
) | {"n": 0}


def claims_table(
    paper: Paper,
    frame: pd.DataFrame,
    folders: Mapping[str, Path],
    computed: Mapping[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """COLUMNS: a line per claim and protocol. ``frame``: ``reproduction_rows``; ``folders``: protocol -> comparison.

    difference: of BACC in percentage points (classification), or of the unweighted NLL of the test part in nats
    (joint), on the same test utterances, with its 95 % interval; *_holm: Holm's p values over the claims of a
    protocol. published: the difference of the printed numbers, for the joint loss a difference of weighted sums over
    the validation part, which no unweighted mean can be compared with. verdict: "confirmed" where the claimed direction
    is significant over speakers and over trainings, "contradicted" where the other is, either "in these runs only"
    where it is over speakers alone, "not significant", "not judged" where the test part was used to make a row, or
    where its trainings did not train, which ``trainings`` says (no Holm p then), "not tested". stamp: of the protocol's
    split. note: what is known against the published numbers.
    ``computed``: protocol -> the rows of its trainings.csv, where they are at hand.
    """
    lines: list[dict[str, Any]] = []
    for protocol, folder in folders.items():
        chosen = _chosen_rows(frame[frame["protocol"] == protocol])
        rows, speakers, spaces, stamp = _read(folder)
        untrained = untrained_rows(list(rows.values()), spaces, (computed or {}).get(protocol))
        of_protocol = []
        for claim in paper.claims:
            pair = rows.get(chosen.get(claim.over, "")), rows.get(chosen.get(claim.row, ""))
            found = _EMPTY if None in pair else _compare(paper.kind, *pair, spaces, speakers) or _EMPTY  # type: ignore[arg-type]
            on_test = frame.loc[
                (frame["protocol"] == protocol) & frame["row"].isin((claim.row, claim.over)), "on_test"
            ]
            reasons = dict.fromkeys(part for text in on_test for part in text.split("; ") if part)
            line = _about(claim, paper) | {"protocol": protocol} | found
            trainings = "" if None in pair else why_untrained(pair[1], pair[0], untrained)  # type: ignore[arg-type]
            of_protocol.append(line | {"stamp": stamp, "on_test": "; ".join(reasons), "trainings": trainings})
        for test in ("p", "resampled_p"):
            # no p value judges what the test part was used for, or what did not train
            tested = [
                float("nan") if line["on_test"] or line["trainings"] else line[test] for line in of_protocol
            ]
            for line, p in zip(of_protocol, holm(tested), strict=True):
                line[f"{test}_holm"] = p
        for line in of_protocol:
            line["verdict"] = _verdict(line)
        lines += of_protocol
    return pd.DataFrame(lines, columns=pd.Index(COLUMNS))


def judging(claims: pd.DataFrame) -> str | None:
    """The protocol whose tests judge the claims; None where the test part was used to make all runs."""
    return next((name for name in JUDGES if name in set(claims["protocol"])), None)


def _chosen_rows(frame: pd.DataFrame) -> dict[str, str]:
    """Published row -> the name of the variant that stands for it: with its lambda, where lambdas were tried."""
    return {
        row["row"]: f"{row['row']}, lambda {row['lambda']}" if row["lambda"] else row["row"]
        for row in frame.to_dict("records")
    }


def untrained_rows(
    rows: Sequence[Row], spaces: Mapping[str, Sequence[str]], trainings: pd.DataFrame | None = None
) -> dict[Row, str]:
    """Row -> why no difference of it is judged, for any of the tasks; see ``reports.convergence``.

    ``trainings``: ``training_table`` of all tasks, where it has been computed already.
    """
    found: dict[Row, str] = {}
    for task, space in spaces.items():
        table = (
            training_table(rows, ClassMeasure(task, space)) if trainings is None else of_task(trainings, task)
        )
        for row, why in reasons_of(table, rows).items():
            told = f"{task}: {why}" if len(spaces) > 1 else why
            found[row] = "; ".join(filter(None, (found.get(row), told)))
    return found


def _read(folder: Path) -> tuple[dict[str, Row], pd.Series, dict[str, list[str]], str]:
    record = read_record(folder)
    rows = {row.settings["row"]: row for row in read_rows(folder, record)}
    spaces = {task: about["classes"] for task, about in record["tasks"].items() if "classes" in about}
    stamp = "; ".join(dict.fromkeys(str(row["stamp"]) for row in record["rows"] if row["stamp"]))
    return rows, read_utterances(folder)["speaker"], spaces, stamp


def _about(claim: Claim, paper: Paper) -> dict[str, Any]:
    metric, printed = ("bacc", "bacc") if paper.kind == "classification" else ("nll", "nll_validation")
    table = published(paper.published)
    notes = [note_of(table, row, printed) for row in (claim.row, claim.over)]
    numbers = table[table["metric"] == printed].set_index("row")["value"]
    difference = numbers.get(claim.row, np.nan) - numbers.get(claim.over, np.nan)
    return {
        "claim": " ".join(claim.says.split()), "source": claim.source, "row": claim.row, "over": claim.over,
        "better": claim.better, "metric": metric, "published": round(float(difference), 6),
        "note": NOTES.join(dict.fromkeys(filter(None, notes))),
    }  # fmt: skip


def _compare(
    kind: str, reference: Row, row: Row, spaces: Mapping[str, list[str]], speakers: pd.Series
) -> dict[str, Any] | None:
    if kind == "joint":
        return compare_nll(reference, row, spaces, speakers)
    line = compare_rows(reference, row, ClassMeasure("emotion", spaces["emotion"]), speakers)
    if line is None:
        return None
    return {
        "difference": 100 * line["bacc_difference"], "low": 100 * line["bacc_low"], "high": 100 * line["bacc_high"],
        "p": line["bacc_p"], "resampled_p": line["resampled_p"], "n": line["n"], "speakers": line["speakers"],
        "detectable": 100 * line["bacc_detectable"],
    }  # fmt: skip


def _verdict(line: Mapping[str, Any]) -> str:
    found = judge(
        line["difference"], line["p_holm"], line["resampled_p_holm"], line["on_test"] or line["trainings"]
    )
    if found in (UNJUDGED, UNTESTED, NOT_SIGNIFICANT):
        return found
    if found.endswith(THESE_RUNS):
        return ONLY_RUNS if found.startswith(line["better"]) else OPPOSITE_RUNS
    return HOLDS if found == line["better"] else OPPOSITE

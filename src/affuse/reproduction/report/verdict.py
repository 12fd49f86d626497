"""The verdict on a reproduction in a few plain sentences, generated from its tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from affuse.names import counted
from affuse.reports.numbers import equals, plain, signed
from affuse.reports.tables.convergence import cures_of
from affuse.reports.tables.paired import NOT_SIGNIFICANT, UNJUDGED, UNTESTED
from affuse.reports.tables.verdict import could_find
from affuse.reproduction.definition import PROTOCOLS
from affuse.reproduction.report.claims import HOLDS, ONLY_RUNS, OPPOSITE, OPPOSITE_RUNS, judging

_SHOWN = 3  # claims in words; the others are in the table
_COUNTED = {
    HOLDS: "confirmed", OPPOSITE: "contradicted", ONLY_RUNS: "confirmed over speakers but not over trainings",
    OPPOSITE_RUNS: "contradicted over speakers but not over trainings", NOT_SIGNIFICANT: "neither",
    UNJUDGED: "not judged", UNTESTED: "not tested",
}  # fmt: skip
UNITS = {"bacc": "BACC points", "nll": "nats"}


def claims_in_words(claims: pd.DataFrame) -> list[str]:
    """Which claims the runs of the judging protocol confirm, and what they could have shown."""
    judge = judging(claims)
    if judge is None:
        return ["No claim is judged, because the test part was used to make every row."]
    lines = claims[claims["protocol"] == judge].to_dict("records")
    where = "Under the honest protocol" if judge == "honest" else "As written, on a random split"
    of_all = f"of the paper's {len(lines)} claims" if len(lines) > 1 else "of the paper's claims"
    tested = [line for line in lines if line["verdict"] not in (UNTESTED, UNJUDGED)]
    untrained = sum(bool(line.get("trainings")) for line in lines)
    left = ""
    if untrained:
        are = "claim is" if untrained == 1 else "claims are"
        left = f" {untrained} {are} not judged, because networks did not train well enough (see Trainings)."
    if not tested:
        could = "is judged, because networks did not train well enough" if untrained else "could be tested"
        return [f"{where}, none {of_all} {could}.", *_cures(lines)]
    shown = [line for line in tested if line["verdict"] in (HOLDS, OPPOSITE)]
    only = [line for line in tested if line["verdict"] in (ONLY_RUNS, OPPOSITE_RUNS)]
    by_p = sorted(shown or only or tested, key=lambda line: (line["p_holm"], -abs(line["difference"])))
    words = "; ".join(claim_in_words(line) for line in by_p[:_SHOWN])
    if shown:
        counts = {word: sum(line["verdict"] == found for line in lines) for found, word in _COUNTED.items()}
        listed = ", ".join(f"{n} {word}" for word, n in counts.items() if n)
        more = f"; and {len(by_p) - _SHOWN} more in the table" if len(by_p) > _SHOWN else ""
        first = f"{where}, {of_all}: {listed}. {words}{more}."
    elif only and all(np.isnan(line["resampled_p"]) for line in only):
        first = (
            f"{where}, none {of_all} could be tested over trainings, because each row has only one. Over speakers "
            f"alone, {len(only)} {'is' if len(only) == 1 else 'are'} significant: {words}."
        )
    elif only:
        first = (
            f"{where}, none {of_all} is confirmed. {len(only)} {'is' if len(only) == 1 else 'are'} significant over "
            f"speakers but not over trainings, so other seeds or folds may give another result: {words}."
        )
    else:
        first = (
            f"{where}, none {of_all} is confirmed or contradicted: no difference is significant. The one with the "
            f"smallest p value: {claim_in_words(by_p[0])}."
        )
    metric = tested[0]["metric"]
    found = could_find(
        pd.Series([line["detectable"] for line in tested]),
        max(line["n"] for line in tested),
        int(max(line["speakers"] for line in tested)),
        UNITS[metric],
        digits_of(metric),
        largest=100.0 if metric == "bacc" else np.inf,
    )
    return [first + left, *_cures(lines), found]


def _cures(lines: Sequence[Mapping[Any, Any]]) -> list[str]:
    """What to try where trainings did not train: a sentence, or none."""
    told = " ".join(str(line.get("trainings") or "") for line in lines)
    return [f"Try {'; '.join(cures_of(told))}; then run it again."] if told.strip() else []


def digits_of(metric: str) -> int:
    """Of a claim's difference."""
    return 1 if metric == "bacc" else 3


def claim_in_words(line: Mapping[Any, Any]) -> str:
    """A claim's two rows with the difference, its interval, the claimed direction and both p values."""
    digits = digits_of(line["metric"])
    parts: list[str] = []
    if not np.isnan(line["low"]):
        parts.append(f"95 % interval {plain(line['low'], digits)} to {plain(line['high'], digits)}")
    parts += [
        f"claimed: {line['better']}",
        f"p {equals(line['p_holm'])} over speakers, p {equals(line['resampled_p_holm'])} over trainings",
    ]
    difference = f"{signed(line['difference'], digits)} {UNITS[line['metric']]}"
    return f"{line['row']} against {line['over']}: {difference} ({'; '.join(parts)})"


def protocols_in_words(frame: pd.DataFrame) -> str:
    """How much higher the same rows come out as written and as coded than honest, in BACC; '' without honest.

    Rows whose trainings did not train are left out.
    """
    rows = frame[frame["metric"].isin(("bacc", "emotion_bacc")) & (frame["trainings"] == "")]
    values = rows.pivot_table(index="row", columns="protocol", values="value", sort=False)
    if "honest" not in values.columns:
        return ""
    parts = []
    for protocol in ("written", "coded"):
        if protocol not in values.columns:
            continue
        more = (values[protocol] - values["honest"]).dropna()
        if not len(more):
            continue
        touched = rows[
            (rows["protocol"] == protocol) & rows["row"].isin(more.index) & (rows["on_test"] != "")
        ]
        about = [f"from {signed(more.min())} to {signed(more.max())} by row"] if len(more) > 1 else []
        if len(touched):
            about.append(f"the test part was used to make {len(touched)} of the {counted(len(more), 'row')}")
        spread = f" ({'; '.join(about)})" if about else ""
        parts.append(f"{signed(more.mean())} points {PROTOCOLS[protocol]}{spread}")
    if not parts:
        return ""
    return f"Compared with the honest protocol on the same rows and corpus, emotion BACC is {' and '.join(parts)}."


def chance_in_words(frame: pd.DataFrame, classes: Mapping[str, int]) -> list[str]:
    """A sentence for each task in which rows of the judging protocol may do no better than chance."""
    judge = judging(frame)
    told = []
    for task, count in classes.items():
        names = (f"{task}_bacc", "bacc") if task == "emotion" else (f"{task}_bacc",)
        rows = frame[(frame["protocol"] == judge) & frame["metric"].isin(names) & frame["value"].notna()]
        chance = 100 / count
        lowest = rows["low"].fillna(rows["value"])
        idle = int((lowest <= chance + 1e-9).sum())
        if idle:
            told.append(
                f"In {idle} of {counted(len(rows), 'row')} ({PROTOCOLS[str(judge)]}), the interval of {task} BACC "
                f"contains chance ({plain(chance)} %): it is not shown that these networks have learnt anything, so no "
                "difference between them can be shown."
            )
    return told


def published_in_words(frame: pd.DataFrame) -> str:
    """How many published numbers lie in the honest interval, of rows that trained; '' where none can be compared."""
    inside = [text for text in frame.loc[frame["trainings"] == "", "inside"] if text]
    if not inside:
        return ""
    count = inside.count("yes")
    lie = "lies" if count == 1 else "lie"
    numbers = counted(len(inside), "published number")
    return f"{count} of the {numbers} {lie} inside the interval of the honest protocol."

"""The verdict on a reproduction in a few plain sentences, generated from its tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from affuse.reports.numbers import UNKNOWN, p_value, plain, signed
from affuse.reports.tables.convergence import cures_of
from affuse.reports.tables.paired import NOT_SIGNIFICANT, UNJUDGED, UNTESTED
from affuse.reports.tables.verdict import could_find
from affuse.reproduction.definition import PROTOCOLS
from affuse.reproduction.report.claims import HOLDS, ONLY_RUNS, OPPOSITE, OPPOSITE_RUNS, judging

_TOLD = 3  # claims in words; the others are in the table
_COUNTED = {
    HOLDS: "held", OPPOSITE: "met by the opposite", ONLY_RUNS: "seen in these runs only",
    OPPOSITE_RUNS: "met by the opposite in these runs only", NOT_SIGNIFICANT: "not shown",
    UNJUDGED: "not judged", UNTESTED: "not tested",
}  # fmt: skip
UNITS = {"bacc": "BACC points", "nll": "nats"}


def claims_in_words(claims: pd.DataFrame) -> list[str]:
    """Which claims the runs of the judging protocol bear out, and what they could show."""
    judge = judging(claims)
    if judge is None:
        return ["No claim is judged: everything here was chosen on the test part, or trained on it."]
    lines = claims[claims["protocol"] == judge].to_dict("records")
    where = "Under the honest protocol" if judge == "honest" else "As written, on a random split,"
    of_all = f"of the paper's {len(lines)} claims"
    tested = [line for line in lines if line["verdict"] not in (UNTESTED, UNJUDGED)]
    untrained = sum(bool(line.get("trainings")) for line in lines)
    left = (
        f" Not judged, since networks did not train well enough: {untrained} (see Trainings)."
        if untrained
        else ""
    )
    if not tested:
        could = (
            "is judged: the networks behind them did not train well enough"
            if untrained
            else "could be tested"
        )
        return [f"{where} none {of_all} {could}.", *_cures(lines)]
    shown = [line for line in tested if line["verdict"] in (HOLDS, OPPOSITE)]
    only = [line for line in tested if line["verdict"] in (ONLY_RUNS, OPPOSITE_RUNS)]
    told = sorted(shown or only or tested, key=lambda line: (line["p_holm"], -abs(line["difference"])))
    words = "; ".join(claim_in_words(line) for line in told[:_TOLD])
    if shown:
        counts = {word: sum(line["verdict"] == found for line in lines) for found, word in _COUNTED.items()}
        listed = ", ".join(f"{n} {word}" for word, n in counts.items() if n)
        more = f"; and {len(told) - _TOLD} more in the table" if len(told) > _TOLD else ""
        first = f"{where.removesuffix(',')}, {of_all}: {listed}. {words}{more}."
    elif only and all(np.isnan(line["resampled_p"]) for line in only):
        first = (
            f"{where} none {of_all} could be tested over trainings, of which each row has one; over speakers alone "
            f"{len(only)} would show: {words}."
        )
    elif only:
        first = (
            f"{where} none {of_all} is shown to outlast these trainings; {len(only)} would show with other "
            f"speakers, but in these runs only: {words}."
        )
    else:
        first = f"{where} none {of_all} is shown; nearest: {claim_in_words(told[0])}: {NOT_SIGNIFICANT}."
    first += left
    metric = tested[0]["metric"]
    found = could_find(
        pd.Series([line["detectable"] for line in tested]),
        max(line["n"] for line in tested),
        int(max(line["speakers"] for line in tested)),
        UNITS[metric],
        digits_of(metric),
        largest=100.0 if metric == "bacc" else np.inf,
    )
    return [first, *_cures(lines), found]


def _cures(lines: Sequence[Mapping[Any, Any]]) -> list[str]:
    """What to try where trainings did not train: a sentence, or none."""
    told = " ".join(str(line.get("trainings") or "") for line in lines)
    return [f"Try {'; '.join(cures_of(told))}; then run it again."] if told.strip() else []


def digits_of(metric: str) -> int:
    """Of a claim's difference."""
    return 1 if metric == "bacc" else 3


def claim_in_words(line: Mapping[Any, Any]) -> str:
    """'3M-SER / center against 3M-SER / cross_entropy -0.4 BACC points [-1.7, 0.9] (claimed: lower; ...)'."""
    digits = digits_of(line["metric"])
    interval = ""
    if not np.isnan(line["low"]):
        interval = f" [{plain(line['low'], digits)}, {plain(line['high'], digits)}]"
    return (
        f"{line['row']} against {line['over']} {signed(line['difference'], digits)} {UNITS[line['metric']]}{interval} "
        f"(claimed: {line['better']}; Holm p, speakers {_equals(line['p_holm'])}, trainings "
        f"{_equals(line['resampled_p_holm'])})"
    )


def _equals(p: float) -> str:
    text = p_value(p)
    return "unknown" if text == UNKNOWN else text if text.startswith("<") else f"= {text}"


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
        spread = f" (rows from {signed(more.min())} to {signed(more.max())})" if len(more) > 1 else ""
        touched = rows[
            (rows["protocol"] == protocol) & rows["row"].isin(more.index) & (rows["on_test"] != "")
        ]
        hand = (
            f", where the test part had a hand in {len(touched)} of the {len(more)} rows"
            if len(touched)
            else ""
        )
        parts.append(f"{signed(more.mean())} BACC points {PROTOCOLS[protocol]}{spread}{hand}")
    if not parts:
        return ""
    return f"Against honest numbers of the same rows on this corpus, emotion comes out {' and '.join(parts)}."


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
                f"In {idle} of {len(rows)} {PROTOCOLS[str(judge)]} rows the interval of {task} BACC holds chance "
                f"({plain(chance)}): that these networks have learnt anything is not shown, so no difference can be."
            )
    return told


def published_in_words(frame: pd.DataFrame) -> str:
    """How many published numbers lie in the honest interval, of rows that trained; '' where none can be compared."""
    inside = [text for text in frame.loc[frame["trainings"] == "", "inside"] if text]
    if not inside:
        return ""
    count = inside.count("yes")
    lie = "lies" if count == 1 else "lie"
    return f"{count} of the {len(inside)} published numbers {lie} inside the honest interval."

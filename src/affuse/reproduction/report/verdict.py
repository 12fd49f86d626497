"""The verdict on a reproduction in a few plain sentences, generated from its tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from affuse.reports.numbers import p_value, plain, signed
from affuse.reports.paired import NO_EFFECT, UNJUDGED, UNTESTED
from affuse.reproduction.definition import PROTOCOLS
from affuse.reproduction.report.claims import HOLDS, ONLY_RUNS, OPPOSITE

_TOLD = 3  # claims in words; the others are in the table
_LIST = {HOLDS: "held", OPPOSITE: "met by the opposite", ONLY_RUNS: "seen in these runs only"}
JUDGES = ("honest", "written")  # the protocols whose tests the sentences tell, the first that was run
UNITS = {"bacc": "BACC points", "nll": "nats"}


def claims_in_words(claims: pd.DataFrame) -> list[str]:
    """Which claims the honest runs (or those as written, where there are none) bear out, and what they could show."""
    judge = next((name for name in JUDGES if name in set(claims["protocol"])), None)
    if judge is None:
        return ["No claim is judged: everything here was chosen on the test part, or trained on it."]
    lines = claims[claims["protocol"] == judge].to_dict("records")
    count = len(lines)
    where = f"Under the {judge} protocol" if judge == "honest" else "As written, on a random split,"
    tested = [line for line in lines if line["verdict"] not in (UNTESTED, UNJUDGED)]
    if not tested:
        return [f"{where} none of the paper's {count} claims could be tested."]
    counts = {verdict: sum(line["verdict"] == verdict for line in tested) for verdict in _LIST}
    shown = [line for line in tested if line["verdict"] in (HOLDS, OPPOSITE)]
    told = sorted(shown or tested, key=lambda line: (line["p_holm"], -abs(line["difference"])))
    words = "; ".join(claim_in_words(line) for line in told[:_TOLD])
    if shown:
        parts = [f"{n} {_LIST[verdict]}" for verdict, n in counts.items() if n]
        rest = count - sum(counts.values())
        parts += [f"{rest} not shown"] if rest else []
        more = f"; and {len(told) - _TOLD} more in the table" if len(told) > _TOLD else ""
        first = f"{where}, of the paper's {count} claims: {', '.join(parts)}. {words}{more}."
    elif counts[ONLY_RUNS]:
        first = (
            f"{where} none of the paper's {count} claims outlasts these trainings; seen in these runs only: "
            f"{counts[ONLY_RUNS]}. Nearest: {words}."
        )
    else:
        first = f"{where} none of the paper's {count} claims is shown; nearest: {claim_in_words(told[0])}: {NO_EFFECT}."
    return [first.replace(",,", ","), *_could_find(tested)]


def claim_in_words(line: Mapping[Any, Any]) -> str:
    """'3M-SER / center against 3M-SER / cross_entropy -0.4 BACC points [-1.7, 0.9] (claimed: lower; Holm p = 0.52)'."""
    digits = 1 if line["metric"] == "bacc" else 3
    interval = ""
    if not np.isnan(line["low"]):
        interval = f" [{plain(line['low'], digits)}, {plain(line['high'], digits)}]"
    p = p_value(line["p_holm"])
    return (
        f"{line['row']} against {line['over']} {signed(line['difference'], digits)} {UNITS[line['metric']]}{interval} "
        f"(claimed: {line['better']}; Holm p {p if p.startswith('<') else f'= {p}'})"
    )


def _could_find(lines: list[dict[Any, Any]]) -> list[str]:
    known = [line["detectable"] for line in lines if not np.isnan(line["detectable"])]
    if not known:
        return []
    digits = 1 if lines[0]["metric"] == "bacc" else 3
    n, speakers = max(line["n"] for line in lines), max(line["speakers"] for line in lines)
    return [
        f"A comparison of this size ({n} test utterances of {speakers:.0f} speakers) finds a true difference of "
        f"{plain(float(np.median(known)), digits)} {UNITS[lines[0]['metric']]} four times in five before the "
        "correction for several claims; smaller ones it will mostly miss."
    ]


def protocols_in_words(frame: pd.DataFrame) -> str:
    """How much higher the same rows come out as written and as coded than honest, in BACC; '' without honest."""
    rows = frame[frame["metric"].isin(("bacc", "emotion_bacc"))]
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
        spread = f" ({signed(more.min())} to {signed(more.max())})" if len(more) > 1 else ""
        touched = rows[
            (rows["protocol"] == protocol) & rows["row"].isin(more.index) & (rows["on_test"] != "")
        ]
        hand = (
            f", the test part having had a hand in {len(touched)} of the {len(more)} rows"
            if len(touched)
            else ""
        )
        parts.append(f"{signed(more.mean())} BACC points {PROTOCOLS[protocol]}{spread}{hand}")
    if not parts:
        return ""
    return f"Against honest numbers of the same rows on this corpus, emotion comes out {' and '.join(parts)}."


def published_in_words(frame: pd.DataFrame) -> str:
    """How many published numbers lie in the honest interval; '' where none can be compared."""
    inside = [text for text in frame["inside"] if text]
    if not inside:
        return ""
    return f"{inside.count('yes')} of the {len(inside)} published numbers lie inside the honest interval."

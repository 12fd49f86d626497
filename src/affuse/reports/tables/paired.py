"""``paired_tests.csv``: every row of a comparison against its reference, on the same test utterances."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.differences import paired_difference
from affuse.evaluation.intervals import speaker_confusions
from affuse.evaluation.mcnemar import mcnemar
from affuse.evaluation.p_values import holm, over_seeds
from affuse.evaluation.power import ALPHA, detectable_difference
from affuse.evaluation.predictions import measure_table
from affuse.evaluation.resampled_t import corrected_resampled_t
from affuse.reports.tables.rows import Row, best_single, reference_of, uncounted

UNJUDGED, UNTESTED, NOT_SIGNIFICANT, THESE_RUNS = (
    "not judged",
    "not tested",
    "not significant",
    "in these runs",
)
LIKEST, BEST_SINGLE = "the most similar row", "the best single modality (chosen on validation)"
_TESTS = ("bacc", "acc", "mcnemar", "resampled")


def paired_tests(
    rows: Sequence[Row],
    task: str,
    space: Sequence[str],
    speakers: pd.Series,
    untrained: Mapping[Row, str] | None = None,
    advance: Callable[[], None] = uncounted,
) -> pd.DataFrame:
    """One line per row and reference (``references_of``) with common test utterances.

    bacc_*, acc_*: the difference (0 to 1), its 95 % interval and p value by bootstrap clustered by speaker, paired
    by utterance, averaged over seeds; bacc_detectable: the difference that would be found four times in five
    (one comparison, level 5 %); utterances: how many more the row gets right than its reference, mean over seeds, of n;
    only_this, only_reference: right in one of the two alone; mcnemar_p: over seeds as twice the median;
    resampled_*: corrected resampled t over folds and seeds, of BACC; *_holm: corrected over the lines of this
    table. verdict: "higher" or "lower" where bacc_p_holm and resampled_p_holm are below 5 %; "higher in these runs"
    where only the first is: it holds for new speakers, but new trainings may not show it; "not judged" where the test
    part was used to make either row, or where ``untrained`` (row -> why, in words) has one of them, which ``trainings``
    then says: no p value allows for that, and such lines have no Holm p. ``speakers``: utterance id -> speaker;
    ``advance`` is called after each row.
    """
    lines = []
    for row in rows:
        for reference, why in references_of(row, rows, task, space):
            line = compare_rows(reference, row, task, space, speakers)
            if line is not None:
                about = {
                    "reference": reference.name_among([row, reference]),
                    "reference_is": why,
                    "task": task,
                    "stamp": row.stamp,
                    "on_test": row.on_test or reference.on_test,
                    "trainings": why_untrained(row, reference, untrained or {}),
                }
                lines.append(row.settings | about | line)
        advance()
    table = pd.DataFrame(lines)
    if not len(table):
        return table
    judged = (table["trainings"] == "") & (table["on_test"] == "")
    for test in _TESTS:
        at = list(table.columns).index(f"{test}_p") + 1
        table.insert(at, f"{test}_p_holm", holm(table[f"{test}_p"].where(judged).to_numpy(float)))
    table["verdict"] = [
        judge(
            line["bacc_difference"],
            line["bacc_p_holm"],
            line["resampled_p_holm"],
            line["on_test"] or line["trainings"],
        )
        for line in table.to_dict("records")
    ]
    return table


def references_of(row: Row, rows: Sequence[Row], task: str, space: Sequence[str]) -> list[tuple[Row, str]]:
    """What a row is compared with, and why: its ``reference_of``; a row of several modalities the ``best_single`` too.

    The best single modality takes the place of a reference that reads one modality as well.
    """
    first = reference_of(row, rows)
    found = [] if first is None else [(first, LIKEST)]
    single = best_single(rows, row.split_hash, task, space) if len(row.modalities) > 1 else None
    if single is not None and not row.baseline:
        found = [pair for pair in found if len(pair[0].modalities) > 1]
        found.append((single, BEST_SINGLE))
    return found


def why_untrained(row: Row, reference: Row, untrained: Mapping[Row, str]) -> str:
    """'center: 12 of 20 runs never left the start', of one or both; '' where both trained."""
    pair = [row, reference]
    return " | ".join(f"{one.name_among(pair)}: {untrained[one]}" for one in pair if one in untrained)


def judge(difference: float, speakers_p: float, trainings_p: float, unjudged: str) -> str:
    """By Holm's p values: over speakers, and then over trainings, of which the test over speakers knows nothing.

    ``unjudged``: why no p value judges the difference (the test part was used, or a row did not train), or "".
    """
    if unjudged:
        return UNJUDGED
    if np.isnan(speakers_p):
        return UNTESTED
    if speakers_p >= ALPHA:
        return NOT_SIGNIFICANT
    direction = "higher" if difference > 0 else "lower"
    return direction if trainings_p < ALPHA else f"{direction} {THESE_RUNS}"


def compare_rows(
    reference: Row, row: Row, task: str, space: Sequence[str], speakers: pd.Series
) -> dict[str, Any] | None:
    """A line of ``paired_tests`` before Holm's correction; None where the two have no test utterance in common."""
    first, second = common_tables(reference, row, task, space)
    if not first or not len(next(iter(first.values()))):
        return None
    counts = [speaker_confusions(list(of.values()), task, space, speakers) for of in (first, second)]
    line: dict[str, Any] = {
        "n": len(next(iter(first.values()))),
        "speakers": len(counts[0]),
        "seeds": len(second),
    }
    for metric in ("bacc", "acc"):
        found = paired_difference(counts[0], counts[1], metric)
        line |= {
            f"{metric}_difference": found.value,
            f"{metric}_low": found.low,
            f"{metric}_high": found.high,
            f"{metric}_p": found.p,
        }
        if metric == "bacc":
            line |= {
                "bacc_error": found.error,
                "bacc_detectable": detectable_difference(found.error, found.df),
            }
    line["utterances"] = line["acc_difference"] * line["n"]
    shared = sorted(set(first) & set(second))
    tests = [mcnemar(_right(first[seed], task), _right(second[seed], task)) for seed in shared]
    line |= {
        "only_this": float(np.mean([t.only_other for t in tests])) if tests else np.nan,
        "only_reference": float(np.mean([t.only_reference for t in tests])) if tests else np.nan,
        "mcnemar_p": over_seeds([t.p for t in tests]),
    }
    differences = [
        measure_table(mine, task, space).bacc - measure_table(theirs, task, space).bacc
        for seed in shared
        for (_, theirs), (_, mine) in zip(
            first[seed].groupby("fold"), second[seed].groupby("fold"), strict=True
        )
    ]
    resampled = corrected_resampled_t(differences, share_of_test(row))
    return line | {"resampled_t": resampled.t, "resampled_df": resampled.df, "resampled_p": resampled.p}


def common_tables(
    reference: Row, row: Row, task: str, space: Sequence[str]
) -> tuple[dict[int, pd.DataFrame], dict[int, pd.DataFrame]]:
    """Seed -> test table of either row, with the labelled utterances that all of these tables have, in one order.

    An utterance is known by its fold too: some protocols test it in several.
    """
    keyed = [
        {
            seed: table[table[task].isin(list(space))].set_index(["fold", "id"], drop=False)
            for seed, table in of.tests.items()
            if task in table.columns
        }
        for of in (reference, row)
    ]
    every = [table.index for of in keyed for table in of.values()]
    if not keyed[0] or not keyed[1]:
        return {}, {}
    common = every[0]
    for index in every[1:]:
        common = common.intersection(index)
    common = common.sort_values()
    first, second = ({seed: t.loc[common].reset_index(drop=True) for seed, t in of.items()} for of in keyed)
    return first, second


def share_of_test(row: Row) -> float:
    """Test utterances over training utterances, mean over its runs; NaN where the runs do not say."""
    known = [run.utterances for run in row.runs if run.utterances.get("train")]
    return float(np.mean([of["test"] / of["train"] for of in known])) if known else float("nan")


def _right(table: pd.DataFrame, task: str) -> np.ndarray:
    return (table[task] == table[f"{task}_predicted"]).to_numpy()

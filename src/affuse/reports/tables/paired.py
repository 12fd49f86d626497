"""``paired_tests.csv``: every row of a comparison against its reference, on the same test utterances."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.mcnemar import mcnemar
from affuse.evaluation.measures import ClassMeasure, Measure
from affuse.evaluation.p_values import holm, over_seeds
from affuse.evaluation.power import ALPHA, detectable_difference
from affuse.evaluation.resampled_t import corrected_resampled_t
from affuse.reports.tables.rows import Row, best_single, comparable, reference_of, uncounted

UNJUDGED, UNTESTED, NOT_SIGNIFICANT, THESE_RUNS = (
    "not judged",
    "not tested",
    "not significant",
    "in these runs",
)
LIKEST, BEST_SINGLE = "the most similar row", "the best single modality (chosen on validation)"


def paired_tests(
    rows: Sequence[Row],
    measure: Measure,
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
    then says: no p value allows for that, and such lines have no Holm p. Of ratings there are ccc_* and rmse_* in place
    of bacc_* and acc_*, and nothing on correct utterances. ``speakers``: utterance id -> speaker; ``advance`` is called
    after each row.
    """
    lines = []
    for row in rows:
        for reference, why in references_of(row, rows, measure):
            line = compare_rows(reference, row, measure, speakers)
            if line is not None:
                about = {
                    "reference": reference.name_among([row, reference]),
                    "reference_is": why,
                    "task": measure.task,
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
    correct = ("mcnemar",) if isinstance(measure, ClassMeasure) else ()
    for test in (measure.main, measure.second, *correct, "resampled"):
        at = list(table.columns).index(f"{test}_p") + 1
        table.insert(at, f"{test}_p_holm", holm(table[f"{test}_p"].where(judged).to_numpy(float)))
    table["verdict"] = [
        judge(
            line[f"{measure.main}_difference"],
            line[f"{measure.main}_p_holm"],
            line["resampled_p_holm"],
            line["on_test"] or line["trainings"],
        )
        for line in table.to_dict("records")
    ]
    return table


def references_of(row: Row, rows: Sequence[Row], measure: Measure) -> list[tuple[Row, str]]:
    """What a row is compared with, and why: its ``reference_of``; a row of several modalities the ``best_single`` too.

    The best single modality takes the place of a reference that reads one modality as well.
    """
    first = reference_of(row, comparable(row, rows, measure))
    found = [] if first is None else [(first, LIKEST)]
    single = best_single(rows, row.split_hash, measure) if len(row.modalities) > 1 else None
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


def compare_rows(reference: Row, row: Row, measure: Measure, speakers: pd.Series) -> dict[str, Any] | None:
    """A line of ``paired_tests`` before Holm's correction; None where the two have no test utterance in common."""
    first, second = common_tables(reference, row, measure)
    if not first or not len(next(iter(first.values()))):
        return None
    sums = [measure.speaker_sums(list(of.values()), speakers) for of in (first, second)]
    line: dict[str, Any] = {
        "n": len(next(iter(first.values()))),
        "speakers": len(sums[0]),
        "seeds": len(second),
    }
    for metric in (measure.main, measure.second):
        found = measure.difference(sums[0], sums[1], metric)
        line |= {
            f"{metric}_difference": found.value,
            f"{metric}_low": found.low,
            f"{metric}_high": found.high,
            f"{metric}_p": found.p,
        }
        if metric == measure.main:
            line |= {
                f"{metric}_error": found.error,
                f"{metric}_detectable": detectable_difference(found.error, found.df),
            }
    shared = sorted(set(first) & set(second))
    if isinstance(measure, ClassMeasure):
        line["utterances"] = line["acc_difference"] * line["n"]
        line |= _correct([(first[seed], second[seed]) for seed in shared], measure.task)
    differences = [
        measure.values(mine)[measure.main] - measure.values(theirs)[measure.main]
        for seed in shared
        for (_, theirs), (_, mine) in zip(
            first[seed].groupby("fold"), second[seed].groupby("fold"), strict=True
        )
    ]
    resampled = corrected_resampled_t(differences, share_of_test(row))
    return line | {"resampled_t": resampled.t, "resampled_df": resampled.df, "resampled_p": resampled.p}


def _correct(pairs: Sequence[tuple[pd.DataFrame, pd.DataFrame]], task: str) -> dict[str, float]:
    """Utterances that only one of two is right about, over seeds, and McNemar's test."""
    tests = [mcnemar(_right(reference, task), _right(row, task)) for reference, row in pairs]
    return {
        "only_this": float(np.mean([t.only_other for t in tests])) if tests else np.nan,
        "only_reference": float(np.mean([t.only_reference for t in tests])) if tests else np.nan,
        "mcnemar_p": over_seeds([t.p for t in tests]),
    }


def common_tables(
    reference: Row, row: Row, measure: Measure
) -> tuple[dict[int, pd.DataFrame], dict[int, pd.DataFrame]]:
    """Seed -> test table of either row, with the labelled utterances that all of these tables have, in one order.

    An utterance is known by its fold too: some protocols test it in several.
    """
    keyed = [
        {
            seed: table[measure.known(table)].set_index(["fold", "id"], drop=False)
            for seed, table in of.tests.items()
            if measure.task in table.columns
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

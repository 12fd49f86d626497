"""Does learning votes pay? Comparisons of one corpus, whose runs learnt labels or votes, measured by votes.

    python benchmarks/check_votes.py CORPUS COMPARISON [COMPARISON ...]

Every run is measured on the test utterances that have a label and a vote, the same for all rows: ACC, and soft
cross-entropy (nats) and Jensen-Shannon divergence of its probabilities, as they are and with the temperature that its
validation part gives. Differences are paired with the row that learnt labels: over cells (seed, fold), and over
speakers, whose mean differences give Student's t. docs/raters.md has the table.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import ttest_1samp

from affuse.corpora.corpus import Corpus
from affuse.corpora.votes import shares, votes
from affuse.evaluation.calibration import apply_temperature
from affuse.evaluation.confidence import fit_confidence
from affuse.evaluation.soft import jensen_shannon, soft_cross_entropy
from affuse.results.run import Run

TASK = "emotion"


def named(run: Run) -> str:
    """What a run learnt."""
    choice = run.recipe.tasks[TASK]
    if choice.target == "labels":
        return "labels"
    return "votes, all utterances" if choice.without_agreement else "votes"


def measured(run: Run, corpus: Corpus) -> pd.DataFrame:
    """A row per test utterance that has a label and a vote."""
    table, people = run.predictions, corpus.table.set_index("id")["speaker"]
    classes = [name.removeprefix(f"{TASK}_p_") for name in table.columns if name.startswith(f"{TASK}_p_")]
    known = shares(votes(corpus, TASK, classes, run.recipe.tasks[TASK].merge))
    columns = [f"{TASK}_p_{label}" for label in classes]
    validation = table[table["role"] == "validation"]
    speaker_of = {str(id): name for id, name in people.dropna().items()}
    temperature = fit_confidence(validation, TASK, classes, speaker_of).temperature
    test = table[(table["role"] == "test") & (table[TASK] != "")]
    wanted = known.reindex(test["id"]).to_numpy(float)
    test, wanted = test[~np.isnan(wanted).any(axis=1)], wanted[~np.isnan(wanted).any(axis=1)]
    told = test[columns].to_numpy(float)
    fitted = apply_temperature(told, temperature)
    return pd.DataFrame(
        {
            "row": named(run), "seed": run.seed, "fold": run.fold, "id": test["id"],
            "speaker": people.reindex(test["id"]).to_numpy(),
            "ACC": (test[TASK] == test[f"{TASK}_predicted"]).to_numpy(float),
            "soft cross-entropy": soft_cross_entropy(wanted, told),
            "with temperature": soft_cross_entropy(wanted, fitted),
            "Jensen-Shannon": jensen_shannon(wanted, told),
            "entropy of the votes": soft_cross_entropy(wanted, wanted),
        }
    )  # fmt: skip


def paired(table: pd.DataFrame, row: str, metric: str) -> dict[str, Any]:
    """A row less the row of labels: mean, cells in which it is lower, and Student's t over speakers."""
    pivot = table.pivot_table(index=["seed", "fold", "id", "speaker"], columns="row", values=metric)
    difference = (pivot[row] - pivot["labels"]).dropna()
    cells = difference.groupby(["seed", "fold"]).mean()
    speakers = difference.groupby("speaker").mean()
    found: Any = ttest_1samp(speakers, 0.0)
    low, high = found.confidence_interval()
    return {
        "row": row, "metric": metric, "difference": difference.mean(), "lower in cells": int((cells < 0).sum()),
        "cells": len(cells), "over speakers": speakers.mean(), "low": low, "high": high, "p": found.pvalue,
        "lower for speakers": int((speakers < 0).sum()), "speakers": len(speakers),
    }  # fmt: skip


def main() -> None:
    """Print the two tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("comparisons", nargs="+", type=Path)
    arguments = parser.parse_args()
    corpus = Corpus.load(arguments.corpus)
    runs = [path.parent for one in arguments.comparisons for path in sorted(one.rglob("results.json"))]
    table = pd.concat([measured(Run.load(folder), corpus) for folder in runs], ignore_index=True)
    every = table.groupby(["id", "seed", "fold"])["row"].nunique() == table["row"].nunique()
    table = table.set_index(["id", "seed", "fold"]).loc[every[every].index].reset_index()
    metrics = ["ACC", "soft cross-entropy", "with temperature", "Jensen-Shannon", "entropy of the votes"]
    print(f"{table['id'].nunique()} utterances, {table['speaker'].nunique()} speakers, {len(runs)} runs")
    print(table.groupby("row")[metrics].mean().round(4).to_string())
    others = [row for row in table["row"].unique() if row != "labels"]
    lines = [paired(table, row, metric) for row in others for metric in metrics[:-1]]
    print(pd.DataFrame(lines).round(4).to_string(index=False))


if __name__ == "__main__":
    main()

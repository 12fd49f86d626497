"""``embeddings.csv``: how tightly the test embeddings of every row cluster, and whether its loss tightened them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.clusters import Tightness, tightness
from affuse.evaluation.resampled_t import corrected_resampled_t
from affuse.reports.tables.paired import share_of_test, why_untrained
from affuse.reports.tables.rows import Row, Run, on_split, reference_of, uncounted


def embedding_table(
    rows: Sequence[Row],
    task: str,
    space: Sequence[str],
    untrained: Mapping[Row, str] | None = None,
    advance: Callable[[], None] = uncounted,
) -> pd.DataFrame:
    """One line per row whose runs have kept their embeddings: silhouette and ratio, alone and against its reference.

    Values are means and standard deviations over runs (folds and seeds), each measured in its own network's space;
    silhouette_difference and ratio_difference are over the runs of equal fold and seed, with p values of the
    corrected resampled t test. trainings: why that difference is not judged (``untrained``: row -> why), or blank.
    """
    found: dict[int, dict[tuple[int, int], Tightness | None]] = {}
    for row in rows:
        found[id(row)] = {(r.fold, r.seed): of_run(r, task, space) for r in row.runs}
        advance()
    lines = []
    for row in rows:
        mine = found[id(row)]
        values = np.array([one for one in mine.values() if one is not None], float)
        if len(values) == 0:
            continue
        about = {"task": task, "stamp": row.stamp, "on_test": row.on_test}
        line: dict[str, Any] = {**row.settings, **about, "runs": len(values)}
        for i, name in enumerate(Tightness._fields):
            known = pd.Series(values[:, i])  # NaN is left out
            line |= {name: float(known.mean()), f"{name}_sd": float(known.std())}
        reference = reference_of(row, on_split(row, rows))
        theirs = found[id(reference)] if reference is not None else {}
        pairs = [(a, b) for key, a in mine.items() if a is not None and (b := theirs.get(key)) is not None]
        line["reference"] = reference.name_among([row, reference]) if reference is not None and pairs else ""
        line["trainings"] = "" if reference is None else why_untrained(row, reference, untrained or {})
        for i, name in enumerate(Tightness._fields):
            test = corrected_resampled_t([a[i] - b[i] for a, b in pairs], share_of_test(row))
            line |= {f"{name}_difference": test.mean, f"{name}_p": test.p}
        lines.append(line)
    return pd.DataFrame(lines)


def of_run(run: Run, task: str, space: Sequence[str]) -> Tightness | None:
    """The tightness of one run's test embeddings; None without them, or without the task's labels."""
    found = labelled_embeddings(run, task, space)
    return None if found is None else tightness(*found)


def labelled_embeddings(run: Run, task: str, space: Sequence[str]) -> tuple[np.ndarray, np.ndarray] | None:
    """(n, width) embeddings and (n,) labels of the test utterances that have the task's label."""
    kept = run.tables.embeddings
    if kept is None or task not in run.test.columns:
        return None
    labels = pd.Series(kept[0]).map(run.test.drop_duplicates("id").set_index("id")[task])
    known = labels.isin(list(space)).to_numpy()
    return (kept[1][known], labels[known].to_numpy(str)) if known.any() else None

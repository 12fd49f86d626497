"""``trainings.csv``: whether the trainings behind each row trained, without which no difference of it is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.convergence import (
    DIVERGED,
    IMPROVING,
    LEVEL,
    NEVER_LEFT,
    TRAINED,
    UNKNOWN,
    is_late,
    state_of,
)
from affuse.evaluation.measures import Measure
from affuse.reports.numbers import p_value
from affuse.reports.tables.rows import Row, Run, uncounted
from affuse.training.convergence import CHANCE, CURES, no_better_than_chance

STATES = (NEVER_LEFT, IMPROVING, DIVERGED)
FEW, MANY = (
    1 / 5,
    1 / 3,
)  # of a row's runs: more that never left or diverged, more of any kind, and it is not judged


def training_table(
    rows: Sequence[Row], measure: Measure, advance: Callable[[], None] = uncounted
) -> pd.DataFrame:
    """One line per row that has test utterances of the task.

    runs; of them trained, never_left, improving, diverged and unknown (a row without epochs, as the baseline, has
    nothing but unknown ones): ``evaluation.convergence.state_of``; kept_median: of the epochs kept, of epochs allowed;
    bacc (of ratings ccc) and chance: of the test part, mean over seeds, with chance_p, ``Measure.chance``; trainings:
    why no difference of this row is judged, blank where they are. That is where BACC is no better than chance at the
    5 % level, where more than a fifth of the runs never left the start or diverged, or more than a third did not train
    in any of the three ways.
    """
    lines = []
    for row in rows:
        advance()
        tables = row.tables(measure)
        if not tables:
            continue
        usual = _usually_late(row)
        states = Counter(_state(row, run, measure, usual) for run in row.trainings)
        chance, p = measure.chance(tables)
        value = float(np.mean([measure.values(table)[measure.main] for table in tables]))
        kept = [run.kept for run in row.runs if run.kept is not None and len(run.metrics)]
        line: dict[str, Any] = {
            **row.settings, "task": measure.task, "stamp": row.stamp, "on_test": row.on_test,
            "runs": len(row.trainings), "trained": states[TRAINED], "never_left": states[NEVER_LEFT],
            "improving": states[IMPROVING], "diverged": states[DIVERGED], "unknown": states[UNKNOWN],
            "kept_median": float(np.median(kept)) if kept else np.nan,
            "epochs": row.epochs if row.epochs is not None else np.nan,
            measure.main: value, "chance": chance, "chance_p": p,
        }  # fmt: skip
        lines.append(line | {"trainings": why_not_judged(line, measure.main)})
    return pd.DataFrame(lines)


def why_not_judged(line: Mapping[str, Any], metric: str) -> str:
    """'12 of 20 runs never left the start; 3 of 20 were still improving at the end', or '' where a row is judged."""
    runs = line["runs"]
    bad = line["never_left"] + line["diverged"]
    told = []
    if line["chance_p"] >= LEVEL:
        told.append(no_better_than_chance(metric, line[metric], line["chance"], p_value(line["chance_p"])))
    if told or bad > FEW * runs or bad + line["improving"] > MANY * runs:
        counts = ((line[name], what) for name, what in COUNTED.items())
        told += [f"{count} of {runs} runs {what}" for count, what in counts if count]
    return "; ".join(told)


COUNTED = {
    "never_left": NEVER_LEFT,
    "improving": f"were {IMPROVING}",
    "diverged": DIVERGED,
}


def reasons_of(table: pd.DataFrame, rows: Sequence[Row]) -> dict[Row, str]:
    """Row -> why it is not judged; rows that are judged have none. ``table``: ``training_table``."""
    if not len(table):
        return {}
    found = {}
    for row in rows:
        same = pd.Series(True, index=table.index)
        for axis, value in row.settings.items():
            same &= table[axis].astype(str) == str(value)
        text = "".join(table.loc[same, "trainings"])
        if text:
            found[row] = text
    return found


def trainings_in_words(table: pd.DataFrame, names: Sequence[str]) -> str:
    """Which rows' differences are not judged, why, and what to try; '' where every row's are.

    table: one task of ``trainings.csv``; names: how each line is called.
    """
    lines = [
        (name, line) for name, line in zip(names, table.to_dict("records"), strict=True) if line["trainings"]
    ]
    if not lines:
        return ""
    told = "; ".join(f"{name}: {line['trainings']}" for name, line in lines)
    rows = f"{len(lines)} of {len(names)} rows did" if len(names) > 1 else "This row did"
    return f"{rows} not train well enough to be judged: {told}. Try {'; '.join(cures_of(told))}; then compare again."


def cures_of(told: str) -> list[str]:
    """What to try, for what ``why_not_judged`` says; that for chance contains most of the others."""
    chance = CHANCE in told
    states = [state for state in STATES if state in told and not (chance and state != DIVERGED)]
    return [CURES[state] for state in ([CHANCE, *states] if chance else states)]


def _usually_late(row: Row) -> bool:
    """Whether the best epoch of most of three runs or more is in the last tenth of those allowed."""
    kept = [run.kept for run in row.runs if run.kept is not None and len(run.metrics)]
    if row.select == "last" or row.epochs is None or len(kept) < 3:
        return False
    return sum(is_late(epoch, row.epochs) for epoch in kept) > len(kept) / 2


def _state(row: Row, run: Run, measure: Measure, usual: bool) -> str:
    known = [table for table in (run.validation, run.test) if measure.has_label(table)]
    if not known:
        return UNKNOWN
    p = measure.chance([pd.concat(known, ignore_index=True)])[1]
    return state_of(run.metrics, run.kept, row.epochs, row.watched, p, usual)

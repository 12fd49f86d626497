"""The prediction table: one row per utterance and role, probabilities of every class of every task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from affuse.evaluation.label_sets import SetAnswers
from affuse.evaluation.metrics import Metrics, measure
from affuse.evaluation.soft import SoftMetrics, measure_soft


def prediction_table(
    ids: Sequence[str],
    role: str,
    fold: int,
    probabilities: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    spaces: Mapping[str, Sequence[str]],
    ratings: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
    sets: Mapping[str, SetAnswers] | None = None,
    shares: Mapping[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    """The table of a model's answers.

    Args:
        ids: (n,) utterance ids.
        role: train, validation or test.
        fold: Of the split.
        probabilities: Task -> (n, classes).
        labels: Task -> (n,) class indices, below 0 where blank.
        spaces: Task -> its classes, in order.
        ratings: Regression -> (n,) ratings, NaN where blank, and (n,) answers.
        sets: Task of several labels -> its answers.
        shares: Task that learns votes -> (n, classes) their shares, NaN where there are none.

    Returns:
        Columns id, role, fold; per task <task> (true label or blank), <task>_predicted, <task>_p_<class> (six
        decimals); per regression <task> (rating or NaN), <task>_predicted (six decimals); per task of several
        labels the columns of ``SetAnswers.columns``; per task that learns votes <task>_votes_<class> (six decimals).

    Examples:
        >>> probabilities, labels = {"t": np.array([[0.9, 0.1]])}, {"t": np.array([1])}
        >>> table = prediction_table(["a"], "test", 0, probabilities, labels, {"t": ["x", "y"]})
        >>> table.to_dict("records")
        [{'id': 'a', 'role': 'test', 'fold': 0, 't': 'y', 't_predicted': 'x', 't_p_x': 0.9, 't_p_y': 0.1}]
    """
    columns: dict[str, object] = {"id": list(ids), "role": role, "fold": fold}
    for task, space in spaces.items():
        names = np.array([*space, ""], dtype=object)
        columns[task] = names[np.where(labels[task] < 0, len(space), labels[task])]
        columns[f"{task}_predicted"] = names[:-1][probabilities[task].argmax(axis=1)]
        for i, name in enumerate(space):
            columns[f"{task}_p_{name}"] = probabilities[task][:, i].astype(np.float64).round(6)
    for task, (rated, answers) in (ratings or {}).items():
        columns[task] = rated.astype(np.float64).round(6)
        columns[f"{task}_predicted"] = answers.astype(np.float64).round(6)
    for task, one in (sets or {}).items():
        columns |= one.columns(task)
    for task, rows in (shares or {}).items():
        for i, name in enumerate(spaces[task]):
            columns[f"{task}_votes_{name}"] = rows[:, i].astype(np.float64).round(6)
    return pd.DataFrame(columns)


def has_label(table: pd.DataFrame, task: str, space: Sequence[str], role: str | None = None) -> bool:
    """Whether any row, or any of one role, has a label of the task; see ``measure_table``."""
    return bool(_pairs(table, task, space, role))


def measure_table(table: pd.DataFrame, task: str, space: Sequence[str], role: str | None = None) -> Metrics:
    """Metrics of one task over the rows that have its label.

    Args:
        table: See ``prediction_table``.
        task: For example "emotion".
        space: The classes, in order.
        role: Of the rows; None: all.

    Raises:
        ValueError: No row has a label of the task.
    """
    labels, predicted = np.array(_pairs(table, task, space, role), dtype=int).reshape(-1, 2).T
    return measure(labels, predicted, space)


def measure_votes(table: pd.DataFrame, task: str, space: Sequence[str]) -> SoftMetrics | None:
    """How well probabilities agree with the votes of a prediction table; None where no row has any.

    Args:
        table: See ``prediction_table``.
        task: For example "emotion".
        space: The classes, in order.
    """
    names = [f"{task}_votes_{label}" for label in space]
    if not set(names) <= set(table.columns):
        return None
    votes = table[names].to_numpy(float)
    if np.isnan(votes).all():
        return None
    return measure_soft(votes, table[[f"{task}_p_{label}" for label in space]].to_numpy(float))


def _pairs(table: pd.DataFrame, task: str, space: Sequence[str], role: str | None) -> list[tuple[int, int]]:
    """Label and answer as class indices; in plain loops, for each call of pandas takes longer than a whole part."""
    position = {name: i for i, name in enumerate(space)}
    pairs = zip(table[task].tolist(), table[f"{task}_predicted"].tolist(), strict=True)
    if role is None:
        return [(position[label], position[called]) for label, called in pairs if label in position]
    return [
        (position[label], position[called])
        for (label, called), of in zip(pairs, table["role"].tolist(), strict=True)
        if label in position and of == role
    ]

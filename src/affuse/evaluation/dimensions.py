"""Metrics of a rating (valence, arousal, ...) from ratings and answers, and CCC's interval over speakers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from affuse.evaluation.intervals import LEVEL, Answers, Interval, speakers_of
from affuse.evaluation.rating_sums import rating_interval, sum_ratings

DIMENSION_METRICS = {
    "ccc": "CCC",
    "pearson": "Pearson",
    "rmse": "RMSE",
    "mae": "MAE",
}  # name -> as it is shown


class DimensionMetrics(NamedTuple):
    """How well answers agree with ratings.

    Args:
        ccc: Concordance correlation coefficient (Lin 1989), -1 to 1; NaN where ratings and answers are all one number.
        pearson: Correlation, -1 to 1; NaN where ratings or answers are all alike.
        rmse: Root of the mean squared error, in units of the ratings.
        mae: Mean absolute error, in units of the ratings.
        n: Utterances.
    """

    ccc: float
    pearson: float
    rmse: float
    mae: float
    n: int


def measure_ratings(
    ratings: Sequence[float] | np.ndarray, answers: Sequence[float] | np.ndarray
) -> DimensionMetrics:
    """Measure answers against ratings; blanks are left out before.

    Args:
        ratings: (n,).
        answers: (n,).

    Raises:
        ValueError: There is no utterance.

    Examples:
        >>> found = measure_ratings([1, 2, 3], [2, 3, 4])
        >>> round(found.ccc, 3), round(found.pearson, 3), found.rmse, found.mae
        (0.571, 1.0, 1.0, 1.0)
    """
    y, x = np.asarray(ratings, float), np.asarray(answers, float)
    if not len(y):
        raise ValueError("there is no rated utterance to measure")
    error = x - y
    # numbers that are all alike may each lie a bit beside their mean
    differ_x, differ_y = bool(np.ptp(x)), bool(np.ptp(y))
    covariance = float(((x - x.mean()) * (y - y.mean())).mean()) if differ_x and differ_y else 0.0
    var_x, var_y = float(x.var()) if differ_x else 0.0, float(y.var()) if differ_y else 0.0
    scale = var_x + var_y + float(x.mean() - y.mean()) ** 2
    deviations = float(np.sqrt(var_x * var_y))
    return DimensionMetrics(
        ccc=2 * covariance / scale if scale else float("nan"),
        pearson=min(1.0, max(-1.0, covariance / deviations)) if deviations else float("nan"),
        rmse=float(np.sqrt(np.square(error).mean())),
        mae=float(np.abs(error).mean()),
        n=len(y),
    )


def measure_dimension(table: pd.DataFrame, task: str, role: str | None = None) -> DimensionMetrics:
    """Metrics of one dimension over the rows of a prediction table that have its rating.

    Args:
        table: Columns <task>, blank or NaN where there is no rating, and <task>_predicted; role where one is named.
        task: For example "valence".
        role: Of the rows; None: all.

    Raises:
        ValueError: No row has a rating.

    Examples:
        >>> table = pd.DataFrame({"valence": ["1", "", "3"], "valence_predicted": [1.5, 2.0, 2.5]})
        >>> measure_dimension(table, "valence").n
        2
    """
    rated = rated_rows(table, task, role)
    return measure_ratings(rated[task].to_numpy(float), rated[f"{task}_predicted"].to_numpy(float))


def has_rating(table: pd.DataFrame, task: str) -> bool:
    """Whether any row has a rating of the task; see ``measure_dimension``."""
    return len(rated_rows(table, task)) > 0


def rated_rows(table: pd.DataFrame, task: str, role: str | None = None) -> pd.DataFrame:
    """The rows of a prediction table that have a rating of the task, which is a number there."""
    rows = table if role is None else table[table["role"] == role]
    numbers = {
        name: pd.to_numeric(rows[name]) for name in (task, f"{task}_predicted")
    }  # a file's "" becomes NaN
    rows = rows.assign(**numbers)
    return rows[rows[task].notna()]


def concordance_interval(
    table: pd.DataFrame, task: str, clusters: pd.Series, level: float = LEVEL
) -> Interval:
    """CCC and its interval over speakers: what it is for other speakers of the same kind.

    See ``rating_sums.rating_interval``.

    Args:
        table: A prediction table, see ``measure_dimension``.
        task: For example "valence".
        clusters: Utterance id -> speaker; an utterance without one is a speaker of its own.
        level: 0 to 1.

    Returns:
        NaN for both ends where there are fewer than two speakers, or a CCC that is 1, -1 or not known.

    Raises:
        ValueError: No row has a rating.

    Examples:
        >>> table = pd.DataFrame(
        ...     {"id": list("abcdef"), "v": [1, 2, 3, 4, 5, 3], "v_predicted": [1.5, 2, 2.5, 4.5, 4, 3.5]}
        ... )
        >>> speakers = pd.Series(["Ann", "Bob", "Ann", "Bob", "Cem", "Cem"], index=list("abcdef"))
        >>> [round(one, 2) for one in concordance_interval(table, "v", speakers)]
        [0.88, 0.15, 0.99]
    """
    rated = rated_rows(table, task)
    if not len(rated):
        raise ValueError("there is no rated utterance to measure")
    pair = rated[task].to_numpy(float), rated[f"{task}_predicted"].to_numpy(float)
    answers = Answers(rated["id"], speakers_of(rated["id"], clusters).tolist(), *pair)
    return rating_interval(sum_ratings([answers]), "ccc", level)


def undefined_in_words(table: pd.DataFrame, task: str) -> str:
    """Why CCC and the correlation say nothing of these ratings, in a sentence with the cure; '' where they can.

    Examples:
        >>> undefined_in_words(pd.DataFrame({"v": [3, 3], "v_predicted": [1, 2]}), "v")
        'v: all 2 rated utterances have 3, so CCC and correlation say nothing; measure different ratings.'
    """
    ratings = rated_rows(table, task)[task]
    if not len(ratings) or (ratings != ratings.iloc[0]).any():
        return ""
    rated = (
        "the only rated utterance has" if len(ratings) == 1 else f"all {len(ratings)} rated utterances have"
    )
    return (
        f"{task}: {rated} {ratings.iloc[0]:g}, so CCC and correlation say nothing; measure different ratings."
    )

"""Metrics of ratings as functions of sums over utterances, which speakers add up to; their intervals over speakers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import ndtr, stdtrit

from affuse.evaluation.intervals import LEVEL, Answers, Interval

SUMS = 7  # n, x, y, x^2, y^2, x y, |x - y|: x answers, y ratings, both from the ratings' mean
_ROUNDING = 1e-13  # of the mean square: a variance below it is one of numbers that are all alike


def sum_ratings(answers: Sequence[Answers], names: Sequence[str] | None = None) -> np.ndarray:
    """What the metrics of ratings are made of, per speaker and prediction table (seed).

    Args:
        answers: Of every table; ``true`` are ratings, ``called`` answers.
        names: The speakers, in order; default: those of the tables, sorted.

    Returns:
        (speakers, tables, SUMS). Adding up speakers gives the sums of all of them.

    Examples:
        >>> import pandas as pd
        >>> of = Answers(pd.Series(list("ab")), ["Ann", "Ann"], np.array([1.0, 3.0]), np.array([2.0, 3.0]))
        >>> sum_ratings([of]).tolist()
        [[[2.0, 1.0, 0.0, 1.0, 2.0, 1.0, 1.0]]]
    """
    if names is None:
        names = sorted({name for of in answers for name in of.speakers})
    index = {name: i for i, name in enumerate(names)}
    sums = np.zeros((len(names), len(answers), SUMS))
    for seed, of in enumerate(answers):
        # a shift of both changes no metric, and small numbers lose nothing in their squares
        middle = of.true.mean() if len(of.true) else 0.0
        x, y = of.called - middle, of.true - middle
        each = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y, np.abs(x - y)], axis=-1)
        np.add.at(sums[:, seed], np.array([index[name] for name in of.speakers], int), each)
    return sums


def concordance(sums: np.ndarray) -> np.ndarray:
    """CCC (Lin 1989) of sums (..., SUMS): NaN where ratings and answers are all one number.

    Examples:
        >>> float(concordance(np.array([2.0, 1.0, 0.0, 1.0, 2.0, 1.0, 1.0])).round(3))
        0.667
    """
    shift, var_x, var_y, covariance = _spread(sums)
    scale = var_x + var_y + shift**2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(scale > 0, 2 * covariance / scale, np.nan)


def correlation(sums: np.ndarray) -> np.ndarray:
    """Pearson's correlation of sums (..., SUMS): NaN where ratings or answers are all alike."""
    _, var_x, var_y, covariance = _spread(sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = covariance / np.sqrt(var_x * var_y)
    return np.where((var_x > 0) & (var_y > 0), found.clip(-1, 1), np.nan)


def root_mean_squared_error(sums: np.ndarray) -> np.ndarray:
    """RMSE of sums (..., SUMS), in units of the ratings."""
    n, _, _, xx, yy, xy, _ = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(np.maximum(xx + yy - 2 * xy, 0) / n)


def mean_absolute_error(sums: np.ndarray) -> np.ndarray:
    """MAE of sums (..., SUMS), in units of the ratings."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums[..., 6] / sums[..., 0]


def _spread(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean answer less mean rating, both variances (divided by n), covariance."""
    n, x, y, xx, yy, xy, _ = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y, xx, yy, xy = x / n, y / n, xx / n, yy / n, xy / n
        var_x, var_y = xx - x * x, yy - y * y
        var_x = np.where(var_x > _ROUNDING * xx, var_x, 0.0)
        var_y = np.where(var_y > _ROUNDING * yy, var_y, 0.0)
        covariance = np.where((var_x > 0) & (var_y > 0), xy - x * y, 0.0)
    return x - y, var_x, var_y, covariance


RATING_MEASURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ccc": concordance,
    "pearson": correlation,
    "rmse": root_mean_squared_error,
    "mae": mean_absolute_error,
}


def above_chance_p(sums: np.ndarray) -> float:
    """One-sided p value of CCC against answers that do not depend on the ratings, for which it is 0.

    Where ratings are permuted, means and variances stay, so CCC is a fixed factor times Pearson's correlation, whose
    mean is 0 and whose variance is exactly 1 / (n - 1) (Pitman 1937); the tail is that of a normal. Utterances count as
    independent, as in ``convergence.chance_p``: where speakers differ, it takes a row for better than chance rather
    than not.

    Args:
        sums: (tables, SUMS), one per seed: the same utterances answered anew, so that their CCC is averaged and its
            deviation is that of one.

    Returns:
        0 to 1; NaN where ratings do not differ.

    Examples:
        >>> of = np.array([[11.0, 0, 0, 10, 10, 5, 9]])
        >>> round(above_chance_p(of), 3)
        0.057
    """
    shift, var_x, var_y, covariance = _spread(sums)
    rated = (sums[..., 0] > 1) & (var_y > 0)
    if not rated.any():
        return float("nan")
    scale = (var_x + var_y + shift**2)[rated]
    excess = float((2 * covariance[rated] / scale).mean())
    n = sums[..., 0][rated]
    deviation = float((2 * np.sqrt(var_x * var_y)[rated] / scale / np.sqrt(n - 1)).mean())
    if deviation == 0:
        return 1.0
    return float(ndtr(-excess / deviation))


_BOUNDED = ("ccc", "pearson")  # -1 to 1; the others are above 0


def rating_interval(sums: np.ndarray, metric: str, level: float = LEVEL) -> Interval:
    """A metric of ratings, averaged over tables, and its interval over speakers: what it is for others of their kind.

    Speakers are left out one at a time (the jackknife for clusters: Miller 1974; Shao and Tu 1995, section 2.2), on a
    scale on which the metric is nearer to a normal one: atanh of CCC (Lin 1989, section 3) and of the correlation,
    the logarithm of RMSE and MAE. The interval is Student's t, carried back, with one degree of freedom fewer than
    speakers, who count as fewer where some say much more than others (Kish 1965: (sum n)^2 / sum n^2).
    docs/statistics.md has how often it holds the true value.

    Args:
        sums: (speakers, tables, SUMS), see ``sum_ratings``.
        metric: ccc, pearson, rmse or mae.
        level: 0 to 1.

    Returns:
        NaN for both ends where there are fewer than two speakers, or the metric is not known or at the end of its
        scale, with all speakers or without one of them.

    Examples:
        >>> ann, bob, cem = [2, 0, 0, 2, 2, 1.6, 0.8], [2, 0, 0, 2, 2, 1.2, 1.6], [2, 0, 0, 2, 2, 1.8, 0.4]
        >>> [round(one, 2) for one in rating_interval(np.array([[ann], [bob], [cem]], float), "ccc")]
        [0.77, 0.01, 0.96]
    """
    measure = RATING_MEASURES[metric]
    sums = sums[sums[..., 0].sum(axis=1) > 0]
    k = len(sums)
    whole = sums.sum(axis=0)
    value = float(measure(whole).mean())
    nothing = Interval(value, float("nan"), float("nan"))
    if k < 2 or not (abs(value) < 1 if metric in _BOUNDED else value > 0):
        return nothing
    there, back = (np.arctanh, np.tanh) if metric in _BOUNDED else (np.log, np.exp)
    with np.errstate(divide="ignore", invalid="ignore"):
        left_out = there(measure(whole - sums).mean(axis=1))
    if not np.isfinite(left_out).all():
        return nothing
    error = float(np.sqrt((k - 1) / k * np.square(left_out - left_out.mean()).sum()))
    said = sums[..., 0].sum(axis=1)
    df = max(1.0, float(said.sum() ** 2 / (said**2).sum()) - 1)
    half, middle = float(stdtrit(df, (1 + level) / 2)) * error, float(there(value))
    return Interval(value, float(back(middle - half)), float(back(middle + half)))

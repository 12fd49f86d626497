"""Whether answers reach as far as ratings do: slope, spread, shift, and the error over the range."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class RatingRange(NamedTuple):
    """How answers lie over the range of the ratings; NaN where that is not known.

    Args:
        n: Utterances.
        slope: Of the straight line through the answers by rating: below 1 the extremes are pulled to the middle.
        spread: Standard deviation of the answers over that of the ratings.
        shift: Mean answer less mean rating, in units of the ratings.
        low, middle, high: Mean answer less rating of the lowest, middle and highest third of the ratings (by rank).
        floor_rmse: RMSE of always answering the mean of these ratings, whose CCC is 0.
        floor_mae: MAE of always answering their median.
    """

    n: int
    slope: float
    spread: float
    shift: float
    low: float
    middle: float
    high: float
    floor_rmse: float
    floor_mae: float


def rating_range(ratings: np.ndarray, answers: np.ndarray) -> RatingRange:
    """Compare answers with ratings over the range.

    Args:
        ratings: (n,), one at least.
        answers: (n,).

    Examples:
        >>> found = rating_range(np.array([1.0, 3.0, 5.0]), np.array([2.0, 3.0, 4.0]))
        >>> found.slope, found.spread, found.shift, found.low, found.high
        (0.5, 0.5, 0.0, 1.0, -1.0)
    """
    y, x = np.asarray(ratings, float), np.asarray(answers, float)
    deviation = float(y.std())
    nan = float("nan")
    # equal ratings are in one third
    place = (np.searchsorted(np.sort(y), y, "left") + np.searchsorted(np.sort(y), y, "right")) / (2 * len(y))
    third = np.minimum((3 * place).astype(int), 2)
    errors = [float((x - y)[third == part].mean()) if (third == part).any() else nan for part in range(3)]
    return RatingRange(
        len(y),
        float(((x - x.mean()) * (y - y.mean())).mean()) / deviation**2 if deviation else nan,
        float(x.std()) / deviation if deviation else nan,
        float(x.mean() - y.mean()),
        *errors,
        floor_rmse=deviation,
        floor_mae=float(np.abs(y - np.median(y)).mean()),
    )
